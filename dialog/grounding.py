"""Whether a clause says only what the passages say, checked before it is spoken.

Compared are figures in normal form (`dialog.figures`), telephone numbers, places, offices, documents, and
whether something is free, allowed or needed at all. The rules lean to one side: a clause that cannot be
told from an invention is not spoken, as the passage's own reviewed answer is there to be spoken instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise

from dialog.figures import Normal, figures, normals
from dialog.passages import Passage
from dialog.places import Gazetteer
from dialog.polarity import contradicts
from dialog.words import clean

# A clause that says back what the caller said, or asks; there the caller's own words are ground enough.
ECHO = re.compile(
    "您(?:刚才|是)?(?:说|讲|提到|反映|报|叫|姓)|您(?:想|要)(?:问|咨询|反映|投诉|查)|您(?:的|这边的)(?:情况|问题|诉求|电话|号码|姓名|地址)|"
    "核对一下|为您登记|帮您登记|登记的|记下|工单|联系您|对吗|对吧|是吗|是吧|吗[？?]?$|[？?]$"
)
_ASKS = re.compile("[？?]|吗|请问|呢|贵姓|怎么称呼|什么|哪")
# Sounds like a rule: what may be done, is needed, where, and how.
_CLAIM = re.compile(
    "办理|申请|申领|补办|补领|缴纳|缴费|领取|报销|提取|携带|带上|带好|带着|拨打|前往|窗口|大厅|符合|享受|免费|收费|规定|政策|"
    "条件|材料|证明|证件|身份证|工作日|不需要|不用|不能|不可以|必须|应当|需要(?!我|人工|登记|帮)|"
    "可以(?:直接|去|到|在|通过|凭|先)|要(?:带|交|先|去|到)|带[一-鿿]{0,4}[证本卡]|去[一-鿿]{2,8}(?:办|交|领|取|申|查|问)"
)
_OURS = re.compile(
    "我(?:来|先|再|可以|这就|马上|现在)?(?:帮|替|为|给)您|转接?人工|您(?:别|不要)着急|请(?:您)?稍[等候]|请讲"
)

_STOP = re.compile(
    "到达|前往|联系|咨询|拨打|打给|带上|带好|带着|携带|拿着|拿上|持有|出示|提供|准备|提交|凭借|可以|或者|还是|以及|还有|需要|必须|"
    "直接|然后|地址|位置|地点|位于|设在|就在|旁边|办理|申请|通过|登录|打开|关注|下载|使用|居住地|户籍地|户口|所在地?|任意|任何|"
    "附近|就近|最近|当地|本地|相关|有关|主管|对应|负责|一家|一个|这个|那个|本人|双方|夫妻|父母|孩子|监护人|原件|您的|自己|"
    "[到去在向由归找请是的您你我就凭持带让把被也都再先后拿交开办及跟与于从里用要，。！？；、,.!?;：:\\s]"
)
_OFFICE = re.compile(
    "服务中心|中心|大厅|窗口|派出所|居委会|村委会|委员会|卫健委|发改委|街道办|管理局|局|(?<![大客餐舞业])厅|法院|检察院|"
    "仲裁院|仲裁委|支队|大队|医院|卫生院|保健院|门诊部|银行|营业厅|公司|办公室|登记处|服务站|管理所|车管所|税务所|司法所|事务所|"
    "公证处|基金会|协会|联合会|残联|妇联|工会|小程序|应用(?!于)|公众号|网站|平台|服务网|[Aa][Pp][Pp]"
)
_ROAD = re.compile(
    "(?<!线|道|马|公|走|铁|电|迷|一|思|网|套|出|问|通|管|水|油|气)路(?!上|过|面|口|灯|费|线|况|途|程)|大道|大街|"
    "(?<!逛|上)街(?!道|上|边)|(?<!小|里)巷|胡同"
)
_REGION = re.compile("(?<![小社地辖城市各该全园景区郊山片校本外哪个两])区(?!别|分|域|政|里|内|间)")
_CITY = re.compile("(?<![城超门本我全股上夜菜都外外省省地集])市(?![场民面区内里里政长级容价])")
_DOCUMENT = re.compile(
    "证明(?!材料)|(?<!保|认|公|验|取|举|签|论|见|查|核|凭|办|领|补|换|考|持|印|求|佐|旁|凡)证(?![明件据实书监券人])|"
    "(?<!签|订)合同|发票|申请书|申请表|登记表|执照|户口本|照片|病历|协议|委托书|(?<![办补刷打发领开])卡(?!里|上|着|住|内)|"
    "工资流水|流水|收据|鉴定书|鉴定|出院小结|清单|档案|介绍信|公证书|批准书|许可|资格证书"
)
_TITLE = re.compile("《([^》]*)》?")
_SAME = (
    ("户口簿", "户口本"),
    ("居民身份证", "身份证"),
    ("身份证件", "身份证"),
    ("不动产权证书", "不动产权证"),
    ("不动产证", "不动产权证"),
    ("房产证", "不动产权证"),
    ("房本", "不动产权证"),
    ("驾照", "驾驶证"),
    ("APP", "应用"),
    ("App", "应用"),
    ("app", "应用"),
    ("软件", "应用"),
    ("相片", "照片"),
    ("出生证明", "出生医学证明"),
    ("医学出生医学证明", "医学证明"),
    ("营业执照", "执照"),
)
_BARE_OFFICES = frozenset(("中心", "大厅", "窗口", "公司", "医院", "银行", "应用", "平台"))


class Grounds:
    """What a reply may say: the passages shown for it, and what else was said in the call.

    `said` are the words of the caller, which may be said back but make no rule; `heard` is what the agent has
    said before and what tools have told, which may be said again.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        said: Sequence[str],
        heard: Sequence[str],
        gazetteer: Gazetteer,
        city: str,
    ) -> None:
        self.passages = tuple(passages)
        self._gazetteer = gazetteer
        own = [clause for text in heard for clause in _SENTENCE.findall(text) if not ECHO.search(clause)]
        texts = [_text(passage) for passage in passages] + own
        self._texts = tuple(_plain(text) for text in [*texts, city])
        self._figures = [normals(text) for text in texts]
        self._sentences = [normals(one) for text in texts for one in re.split("[。；]", text)]
        self._asked = tuple(_plain(text) for text in said)
        self._said_figures = _union([normals(text) for text in said])

    def violation(self, clause: str, sentence: str = "") -> str:
        """What kind of thing `clause` says that is said nowhere; "" where it may be spoken.

        `sentence` are the words of the same reply right before it.
        """
        echo, plain = bool(ECHO.search(clause)), _plain(clause)
        near = self._near(sentence + clause)
        if kind := self._figure(clause, near, echo) or ("" if echo else self._case(clause, sentence)):
            return kind
        known = [text for at, text in enumerate(self._texts) if at in near or at >= len(self.passages)]
        known += self._asked if echo else ()
        if any(_plain(title) not in "".join(known) for title in _TITLE.findall(clause)):
            return "document title"
        if not self._places_known(plain, known):
            return "place"
        if not _all_known(_OFFICE, plain, known, 4):
            return "office"
        if not _all_known(_DOCUMENT, plain, known, 3):
            return "document"
        if _ASKS.search(clause) or _OURS.search(clause):
            return ""
        if not self.passages and not _said_before(plain, known) and _CLAIM.search(plain):
            return "rule without a passage"
        best = self.closest(sentence + clause)
        return "polarity" if best and contradicts(plain, best.answer) else ""

    def _near(self, words: str) -> set[int]:
        """The first passage shown, and those that `words` are as much about as any: not to be mixed up."""
        shares = [_overlap(words, passage) for passage in self.passages]
        most = max(shares, default=0.0)
        return {at for at, share in enumerate(shares) if at == 0 or share >= NEAR * most}

    def closest(self, words: str) -> Passage | None:
        """The passage shown that shares most with `words`; of equals the one ranked first."""
        return max(self.passages, key=lambda passage: _overlap(words, passage), default=None)

    def used(self, words: str) -> list[Passage]:
        """The passages that `words` were plainly taken from."""
        return [passage for passage in self.passages if _overlap(words, passage) >= USED]

    def _figure(self, clause: str, near: Collection[int], echo: bool) -> str:
        """Figures must all be in one text, those of a clause without a comma in one sentence of it."""
        found = figures(clause)
        said = self._said_figures if echo else frozenset()
        texts = [known for at, known in enumerate(self._figures) if at in near or at >= len(self.passages)]
        if not any(all(figure.within(known | said) for figure in found) for known in (*texts, said)):
            apart = echo and all(figure.within(_union(self._figures) | said) for figure in found)
            return "" if apart or not found else "figure"
        parts = [part for part in re.split("[，,；]", clause) if len(figures(part)) > 1]
        together = echo or all(self._together(part) for part in parts)
        return "" if together else "figures of different cases"

    def _case(self, clause: str, sentence: str) -> str:
        """Figures must stand together with those of the case named right before: 满80岁的，每月100元."""
        parts = [part for part in re.split("[，,；。！]", sentence + clause) if part.strip()]
        for case, told in pairwise(parts):
            both = _CASE.search(case) and figures(case) and figures(told)
            if both and not self._together(f"{case}，{told}"):
                return "figures of different cases"
        return ""

    def _together(self, part: str) -> bool:
        """Whether the figures of `part` stand together in a sentence of one text: 满80岁 with 每月100元."""
        found = figures(part)
        return any(all(figure.within(known) for figure in found) for known in self._sentences)

    def _places_known(self, plain: str, known: Sequence[str]) -> bool:
        rest, asked = plain, (*known, *self._asked)
        for name in self._gazetteer.names:
            if name in rest:
                # Which district is asked about is the caller's to say, where something is there is not.
                if not any(name in text for text in (asked if name.endswith("区") else known)):
                    return False
                rest = rest.replace(name, "，")
        pairs = ((_ROAD, known), (_REGION, asked), (_CITY, asked))
        return all(_all_known(pattern, rest, texts, 3) for pattern, texts in pairs)


_CASE = re.compile("(?:满|不到|超过|以内|以上|以下|之内|[级岁类档])[^，]{0,6}的(?:老人|家庭|部分)?$")
NEAR = 0.9  # part of the greatest overlap from which on a passage is as much what is spoken of
USED = 0.3  # part of a clause's pairs of characters that must be in a passage for it to be its source
_SENTENCE = re.compile("[^。！？；，,!?;\n]+[。！？；，,!?;\n]*")


def _said_before(plain: str, known: Sequence[str]) -> bool:
    """Whether a clause says for the most part what was said before in the call, or told by a tool."""
    said = _pairs(plain)
    return any(len(said & _pairs(text)) >= 0.5 * len(said) > 0 for text in known)


def _text(passage: Passage) -> str:
    return f"{passage.question}。{passage.answer}。{passage.department}。{passage.district}"


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """`text` without blanks and quotation marks, with one word for what has several names."""
    text = re.sub('[\\s“”"「」『』]', "", text)
    for other, word in _SAME:
        text = text.replace(other, word)
    return text


def _all_known(pattern: re.Pattern[str], plain: str, known: Sequence[str], enough: int) -> bool:
    return all(
        _is_known(plain[: match.end()], match.group(), known, enough) for match in pattern.finditer(plain)
    )


def _is_known(upto: str, suffix: str, known: Sequence[str], enough: int) -> bool:
    """Whether the name that ends `upto` is in a known text: in full, in its last characters, or in short."""
    before = upto[: -len(suffix)]
    stops = [match.end() for match in _STOP.finditer(before)]
    name = before[max(stops[-1] if stops else 0, len(before) - 12) :] + suffix
    if name == suffix and suffix in _BARE_OFFICES:
        return any(suffix in text for text in known) or suffix == "窗口"
    shared = 0
    for text in known:
        while shared < len(upto) and upto[len(upto) - shared - 1 :] in text:
            shared += 1
    return shared >= min(len(name), enough) or _is_short_for(name, known)


def _is_short_for(name: str, known: Sequence[str]) -> bool:
    """Whether `name` is made of a known name's characters in their order, as 医保局 of 医疗保障局."""
    core = name.removeprefix("市").removeprefix("区")
    if len(core) < 3:
        return False
    spread = "[一-鿿]{0,5}?".join(map(re.escape, core))
    return any(re.search(f"(?:^|[市区的到由找向。，、]|[一-鿿]区){spread}", text) for text in known)


@lru_cache(maxsize=4096)
def _pairs(text: str) -> frozenset[str]:
    words = clean(text)
    return frozenset(words[at : at + 2] for at in range(len(words) - 1))


def _overlap(words: str, passage: Passage) -> float:
    """How much of `words` is in the passage, 0..1."""
    said = _pairs(words)
    return len(said & _pairs(_text(passage))) / len(said) if said else 0.0


def _union(sets: Sequence[frozenset[Normal]]) -> frozenset[Normal]:
    return frozenset[Normal]().union(*sets)
