"""Hides who callers are from a language model's service: marks for what is private, and back again.

Names, telephone, identity card and bank card numbers, licence plates and addresses become marks such as
【姓名1】, the same text the same mark all through a call. Districts, landmarks and streets without a number
stay, as they are needed to answer. Rather too much is hidden than too little: it all comes back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from dialog.expecting import asked_in
from dialog.places import Gazetteer

CALLER_MARK = "【来电号码】"
_D = "0-9零〇一二三四五六七八九幺"
_NUM = f"[{_D}十百两]+"
# Digits as written or said, with what stands between groups; in numbers said one by one there is no 两.
_DIGITS = re.compile(
    f"(?:\\+?86[- ]?)?[{_D}](?:[-－—–  ,，、.。嗯啊呃]{{0,2}}[{_D}]){{6,}}(?:[- ，,]?(?:[Xx]|叉|艾克斯))?"
)
_PHONE = re.compile(f"(?:\\+?86|[1一幺][-, ，]?[3-9三四五六七八九]|[0零]|[{_D}-]{{7,8}}$)")
# Addresses and names on the net, passports, the last digits of a card or paper.
_ACCOUNT = re.compile(
    "[A-Za-z0-9_.+-]+@[A-Za-z0-9_.-]+|(?<=微信号)[A-Za-z0-9_-]{4,}|(?<=微信)[A-Za-z0-9_-]{4,}|(?<=微信号是)[A-Za-z0-9_-]{4,}|"
    f"[A-Za-z]{{1,2}}[{_D}]{{7,8}}|(?<=[后尾]四位是)[{_D}]{{4}}|(?<=[后尾]四位)[{_D}]{{4}}|(?<=[尾末]号)[{_D}]{{4}}|(?<=尾号是)[{_D}]{{4}}"
)
_PLATE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼临][A-Za-z][ ·.]?"
    f"[A-Za-z{_D}](?:[ ]?[A-Za-z{_D}]){{4,5}}"
)
_SURNAMES = (
    "欧阳|上官|司马|诸葛|皇甫|东方|尉迟|公孙|慕容|令狐|夏侯|司徒|端木|南宫|"
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄"
    "聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈"
    "饶解牟艾尤阳时穆农卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫"
    "寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝]"
)
_TITLE = "先生|女士|小姐|师傅|阿姨|大爷|大妈|大叔|大哥|大姐|老师|经理|医生|主任|老板|同志|奶奶|爷爷"
# No second or third character of a name: what begins the next words instead.
_NO_NAME = (
    "住在电话的是我要想有来家手身男女今年了吧呢啊嘛和跟说给打号联你您就这那他她已去到被把从因也都还，。"
)
_GIVEN = f"[^{_NO_NAME}\\W\\d_a-zA-Z]"
_NAMED = re.compile(
    "(?:我叫|名字是|名字叫|姓名是|姓名叫|全名是|叫做?|我是|名叫|姓名[:：，, ]?|联系人是?|"
    "(?:业主|户主|房东|法人|负责人|当事人|经办人|老板)(?:是|叫))"
    f"(?P<name>(?:{_SURNAMES}){_GIVEN}{{1,2}})"
)
_SURNAMED = re.compile(f"(?P<before>(?<!百)姓)(?P<name>{_SURNAMES})")
_CALLED = re.compile(
    f"(?P<name>(?:(?<=[我是找叫姓和跟那小老，。])|(?<![一-鿿]))(?:{_SURNAMES}){_GIVEN}{{1,2}}|(?:{_SURNAMES}))(?={_TITLE})"
)
_WHOLE_NAME = re.compile(
    f"(?:嗯|啊|哦|免贵|我|姓|叫|我姓|我叫|就)*(?P<name>(?:{_SURNAMES}){_GIVEN}{{0,2}}?)[。，！啊]?$"
)
_UNIT = "号楼|号院|号|弄|栋|幢|座|楼|单元|层|室|房|门|组|户"
_TAIL = (
    f"(?:[ 的，,]?第?(?:{_NUM}|[A-Za-z甲乙丙丁东西南北])(?:{_UNIT})"
    f"(?:[{_D}]+(?!{_UNIT}|[{_D}十百]))?(?:室|房)?(?:之{_NUM})?)+"
)
_LEAD = "[^到去在住是我家于的址点叫区市，。、；：？！从往离和与有　\\s]"
_STREET = re.compile(
    f"{_LEAD}{{1,5}}?(?:路|大道|大街|街|巷|弄|胡同){_TAIL}(?:{_LEAD}{{2,6}}?(?:小区|花园|公寓|家园|苑){_TAIL})?"
)
_ESTATE = re.compile(
    f"{_LEAD}{{1,6}}?(?:小区|花园|公寓|新村|家园|苑|新城|雅居|华庭|豪庭|湾|村|社区)(?:{_TAIL}|(?=小区|$|[的里门，。]))"
)
_HOUSE = re.compile(
    f"(?:{_NUM}|[A-Za-z甲乙丙丁])(?:号楼|栋|幢|座|号院)(?:{_NUM}|[A-Za-z甲乙丙丁])?(?:单元)?"
    f"(?:{_TAIL}|[{_D}]{{3,4}}(?:室|房)?)?|{_NUM}单元(?:{_TAIL}|[{_D}]{{3,4}}(?:室|房)?)?|[{_D}]{{3,4}}(?:室|房间|房)"
)
_NOT_ESTATES = re.compile(
    "^(?:这个|那个|哪个|本|该|全|各|我们|你们|他们|老旧|农|乡)?(?:小区|社区|花园|公寓|家园|新城|新村|村)$"
)
_MARK = re.compile("【[^】]*】?")
_OURS = re.compile("【(?:姓名|电话|证件|银行卡|车牌|地址|号码|原文)[0-9]+】|" + CALLER_MARK)
Writer: TypeAlias = "Callable[[re.Match[str]], str]"


class Masks:
    """The marks of one call; feed it the call's words in their order and the marks come out the same.

    `caller` is the number called from, "" where withheld.
    """

    def __init__(self, gazetteer: Gazetteer, caller: str = "") -> None:
        names = [name for name in gazetteer.names if not name.endswith("区")]
        self._places = re.compile(
            f"(?:{'|'.join(map(re.escape, names))})(?:{_TAIL})" if names else "(?!)"
        )  # longest first
        self._districts = tuple(name for name in gazetteer.names if name.endswith("区"))
        estates = [
            name for name in names if name.endswith(("小区", "花园", "苑", "家园", "湾", "公寓", "新城"))
        ]
        self._estates = re.compile("|".join(map(re.escape, estates)) or "(?!)")
        self._streets = tuple(name for name in names if name.endswith(("路", "街", "道")))
        self._marks: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        if caller:
            self._put(caller, CALLER_MARK)

    @property
    def private(self) -> tuple[str, ...]:
        """What is hidden behind marks, the longest first."""
        return tuple(sorted(self._marks, key=len, reverse=True))

    def mask(self, text: str, asked: str = "") -> str:
        """`text` with marks for all that is private; `asked` are the words that it answers."""
        text = _MARK.sub(lambda match: self._mark("原文", match.group()), text)
        text = self._outside(_PLATE, text, lambda match: self._mark("车牌", match.group()))
        text = self._outside(_ACCOUNT, text, lambda match: self._mark("号码", match.group()))
        text = self._outside(_DIGITS, text, self._number)
        text = self._known(text)
        text = self._names(text, asked)
        for pattern in (self._places, _STREET, self._estates, _ESTATE, _HOUSE):
            text = self._outside(pattern, text, self._address)
        return text

    def restore(self, text: str) -> str:
        """`text` with what is behind the marks of this call; unknown marks stay as they are."""
        return _OURS.sub(lambda match: self._texts.get(match.group(), match.group()), text)

    def unknown(self, text: str) -> bool:
        """Whether `text` holds a mark that hides nothing in this call."""
        return any(mark not in self._texts for mark in _MARK.findall(text))

    @staticmethod
    def without(text: str) -> str:
        """`text` with the marks taken out."""
        return _OURS.sub("", text)

    def _put(self, text: str, mark: str) -> None:
        self._marks[text], self._texts[mark] = mark, text

    def _mark(self, kind: str, text: str) -> str:
        if text not in self._marks:
            number = sum(mark.startswith(f"【{kind}") for mark in self._texts) + 1
            self._put(text, f"【{kind}{number}】")
        return self._marks[text]

    def _outside(self, pattern: re.Pattern[str], text: str, write: Writer) -> str:
        """`text` with the matches of `pattern` written anew, where they are not within marks."""
        parts = re.split(f"({_OURS.pattern})", text)
        return "".join(part if at % 2 else pattern.sub(write, part) for at, part in enumerate(parts))

    def _known(self, text: str) -> str:
        """What was private before is private again, without the words by which it was told."""
        for private in self.private:
            if len(private) > 1:
                whole = re.compile(re.escape(private))
                text = self._outside(whole, text, lambda match: self._marks[match.group()])
        return text

    def _number(self, match: re.Match[str]) -> str:
        text = match.group()
        tail = re.search("[-－—–  ,，、.。嗯啊呃]+$", text)
        text = text[: tail.start()] if tail else text
        digits = len(re.findall(f"[{_D}]", text))
        crossed = bool(re.search("(?:[Xx]|叉|艾克斯)$", text))
        if crossed or digits in (15, 18):
            kind = "证件"
        elif digits in (16, 17, 19):
            kind = "银行卡"
        else:
            kind = "电话" if _PHONE.match(text) else "号码"
        return self._mark(kind, text) + (tail.group() if tail else "")

    def _names(self, text: str, asked: str) -> str:
        def named(match: re.Match[str]) -> str:
            if any(district.startswith(match["name"][:2]) for district in self._districts):
                return match.group()  # 我是江南区的
            return match.group().replace(match["name"], self._mark("姓名", match["name"]), 1)

        if asked and asked_in(asked) == "name" and (whole := _WHOLE_NAME.match(text)):
            return text[: whole.start("name")] + self._mark("姓名", whole["name"]) + text[whole.end("name") :]
        for pattern in (_NAMED, _CALLED):
            text = self._outside(pattern, text, named)
        return self._outside(
            _SURNAMED, text, lambda match: match["before"] + self._mark("姓名", match["name"])
        )

    def _address(self, match: re.Match[str]) -> str:
        text = match.group()
        if _NOT_ESTATES.match(text) or text in self._streets:
            return text
        return self._mark("地址", text)
