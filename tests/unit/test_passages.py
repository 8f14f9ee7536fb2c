"""Reading passages from topics and tables."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from dialog.passages import KnowledgeError, load_passages

pytestmark = [pytest.mark.unit]

TOPIC = """\
topic: 社会保险
department: 市人力资源和社会保障局
district: ""
passages:
  - id: social-001
    question: 社保卡丢了怎么补办？
    phrasings: [社保卡丢失了怎么办, 补办社保卡要带什么]
    answer: 请带身份证到银行补办。
    source: 《办法》
    valid_from: 2025-03-01
    valid_to: null
"""


def test_a_folder_of_topics_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "social.yaml").write_text(TOPIC, encoding="utf-8")
    [found] = load_passages(tmp_path)
    assert found.ref == "kb:social-001"
    assert found.topic == "社会保险"
    assert found.department == "市人力资源和社会保障局"
    assert found.phrasings == ("社保卡丢失了怎么办", "补办社保卡要带什么")
    assert found.valid_from == date(2025, 3, 1)
    assert found.valid_to is None


def test_an_entry_without_id_and_source_gets_them_from_its_file_as_a_row_does(tmp_path: Path) -> None:
    text = "passages:\n  - question: 水费怎么交？\n    answer: 手机上交。\n"
    (tmp_path / "water.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "water.csv").write_text("question,answer\n水费怎么交？,手机上交。\n", encoding="utf-8")
    [entry], [row] = load_passages(tmp_path / "water.yaml"), load_passages(tmp_path / "water.csv")
    assert (entry.id, entry.source) == (row.id, "water.yaml")


def test_a_csv_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "kb.csv"
    file.write_text(
        "﻿question,answer,phrasings,department,district,source,valid_from,valid_to\n"
        '水费怎么交？,"手机上交，或者到营业厅交。",交水费去哪|怎么交水费,市水务局,江北区,《规定》,2025-01-01,2025-12-31\n'
        "电费怎么交？,手机上交。,,,,,,\n",
        encoding="utf-8",
    )
    water, power = load_passages(file)
    assert water.phrasings == ("交水费去哪", "怎么交水费")
    assert (water.district, water.valid_to) == ("江北区", date(2025, 12, 31))
    assert power.phrasings == ()
    assert water.id != power.id
    assert (water.source, power.source) == ("《规定》", "kb.csv")


def test_a_row_without_an_id_keeps_its_own_as_long_as_its_question_stays(tmp_path: Path) -> None:
    file = tmp_path / "水 费.csv"
    file.write_text("question,answer\n水费怎么交？,手机上交。\n电费怎么交？,手机上交。\n", encoding="utf-8")
    before = [p.id for p in load_passages(file)]
    file.write_text(
        "question,answer\n\n电费怎么交？,到营业厅交。\n水费怎么交？,手机上交。\n", encoding="utf-8"
    )
    assert [p.id for p in load_passages(file)] == before[::-1]
    assert all(id.startswith("水-费-") for id in before)


def test_excel_has_the_same_columns_on_any_sheet_with_dates_and_numbers_as_excel_has_them(
    tmp_path: Path,
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["这一页是说明"])
    sheet = book.create_sheet("社保")
    sheet.append(["编号", "问题", "答案", "相似问", "责任部门", "生效日期", "失效日期", None])
    sheet.append(
        [
            7,
            "水费怎么交？",
            "手机上交。",
            "交水费|怎么交水费",
            "市水务局",
            datetime(2025, 3, 1),  # noqa: DTZ001 - as a spreadsheet has it
            "2025年12月1日",
        ]
    )
    sheet.append([None, None, None, None])
    sheet.append(["b", "电费电话是多少？", 95598.0])
    book.save(tmp_path / "kb.xlsx")
    water, power = load_passages(tmp_path / "kb.xlsx")
    assert (water.id, water.phrasings, water.department) == ("7", ("交水费", "怎么交水费"), "市水务局")
    assert (water.valid_from, water.valid_to) == (date(2025, 3, 1), date(2025, 12, 1))
    assert (power.answer, power.source) == ("95598", "kb.xlsx")
    sheet.append(["c", "没有答案？", None])
    book.save(tmp_path / "kb.xlsx")
    with pytest.raises(KnowledgeError, match=r"kb\.xlsx: sheet 社保, row 5: answer is missing"):
        load_passages(tmp_path)
    (tmp_path / "kb.xlsx").write_bytes(b"PK\3\4 broken")
    with pytest.raises(KnowledgeError, match=r"kb\.xlsx: not readable as an Excel workbook"):
        load_passages(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_tables_come_in_every_encoding_that_is_usual(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "kb.csv"
    file.write_text("问题,答案\n水费怎么交？,手机上交。\n", encoding=encoding)
    assert [p.question for p in load_passages(file)] == ["水费怎么交？"]


def test_what_no_text_can_hold_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "kb.csv"
    file.write_text('question,answer\n"水费\x07\n 怎么交？",\ufeff⼿机\x1b上　交。 A B\n', encoding="utf-8")
    [found] = load_passages(file)
    assert (found.question, found.answer) == ("水费怎么交？", "手机上交。A B")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "passages: [", "a.yaml: not readable as YAML"),
        ("a.yaml", "- 1", "a.yaml: expected a mapping"),
        ("a.yaml", "passages:\n  - 1", "entry 1: expected a mapping"),
        (
            "a.yaml",
            TOPIC.replace("    answer: 请带身份证到银行补办。\n", ""),
            "entry 1 (social-001): answer is missing",
        ),
        ("a.yaml", TOPIC.replace("2025-03-01", "三月"), "valid_from '三月' is not a date such as"),
        ("a.yaml", TOPIC.replace("null", "2024-01-01"), "valid_to 2024-01-01 is before valid_from"),
        (
            "a.yaml",
            TOPIC + TOPIC[TOPIC.index("  - id") :],
            "entry 2 (social-001): id 'social-001' is already used",
        ),
        (
            "a.yaml",
            TOPIC.replace("[社保卡丢失了怎么办, 补办社保卡要带什么]", "一句话"),
            "phrasings must be a list",
        ),
        ("a.csv", "question,reply\n甲,乙\n", "a.csv: line 1: missing column answer"),
        ("a.csv", "问题,答案,标准问题\n甲,乙,丙\n", "a.csv: line 1: two columns are question"),
        ("a.csv", "question,answer\n甲,乙\n丙,\n", "a.csv: line 3: answer is missing"),
        ("a.csv", "question,answer\n甲,乙,丙\n", "a.csv: line 2: more values than columns"),
        ("a.csv", "question,answer,id\n甲,乙,a b\n", "a.csv: line 2: id 'a b': right are letters"),
        ("a.csv", f"question,answer\n甲,{'乙' * 5001}\n", "a.csv: line 2: answer has 5001 characters"),
        ("a.csv", "question,answer\n甲,乙\n甲,丙\n", "is already used at"),
        ("a.csv", "", "a.csv: line 1: missing column answer, question"),
        ("a.csv", "question,answer\n甲,\x00乙\n", "a.csv: no text in UTF-8 or GB 18030"),
    ],
)
def test_bad_files_are_refused_by_name_and_place(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(KnowledgeError) as refused:
        load_passages(tmp_path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_without_knowledge_or_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"no \.yaml, \.csv or \.xlsx"):
        load_passages(tmp_path)
    with pytest.raises(KnowledgeError, match="no such file or folder"):
        load_passages(tmp_path / "absent")
