"""How callers name themselves, and that they would rather not, found in their words as they sounded."""

from __future__ import annotations

import re

from dialog.intents import polarity
from dialog.words import sounds

# The commonest family names; a name told in passing must begin with one of them.
_FAMILY_NAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石"
    "廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁"
    "岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟"
    "艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎"
    "甄丛仲虞敖巩明佘池查麻苑迟邝傅封"
)
_DOUBLE_NAMES = "欧阳|司马|上官|诸葛|司徒|东方|皇甫|慕容|令狐|夏侯|尉迟|公孙|长孙|宇文|端木"
_FAMILY = f"(?:{_DOUBLE_NAMES}|[{_FAMILY_NAMES}])"
_TITLE = "先生|女士|小姐|同志|师傅|老师|阿姨|大姐|大爷|大妈|老师傅"
_GIVEN = f"(?!{_TITLE})(?:(?![的了过是们在我你他这那住家])[一-鿿]){{1,2}}"
_AFTER = "(?=$|就行|就好|就可以|电话|手机|号码|联系|我?住|身份证|我?是|的)"
_TOLD = (
    re.compile(f"(?:我叫|本人叫|姓名是?|名字叫|名字是|联系人(?:是|叫)?)(?P<name>{_FAMILY}{_GIVEN}?){_AFTER}"),
    re.compile(f"我是(?P<name>{_FAMILY}{_GIVEN})(?=$|电话|手机|联系)"),
    re.compile(f"(?:我|免贵|本人|联系人)姓(?P<name>{_FAMILY})"),
    re.compile(f"(?:我是|我叫|叫我|称呼我)(?P<name>{_FAMILY})(?:{_TITLE})"),
    re.compile(f"(?:叫我|称呼我)[小老](?P<name>{_FAMILY})"),
)
_NAMED = re.compile(f"[名叫](?:字)?(?:叫|是)?(?P<name>{_FAMILY}{_GIVEN})$")  # 姓王叫王建国
_FAMILY_ONLY = re.compile(f"姓(?P<name>{_DOUBLE_NAMES}|(?![什啥名就我])[一-鿿])")
_NO_NAME = re.compile("[是的了错对吗呢什么这那没不必]|天|电话|号码|点|月|上|下|路|区")
_NICK = re.compile(f"^(?:叫我|我是)?[小老](?P<name>{_FAMILY})(?:就行|就好|吧)?$")
_CALLED = re.compile("(?:叫|名字是|名字叫|姓名是?)(?P<name>[一-鿿]{2,4}?)(?:先生|女士|$|就行|就好|就可以|吧)")
_TITLED = re.compile(f"^(?:我是|叫我)?[小老]?(?P<name>[一-鿿]{{1,3}}?)(?:{_TITLE})$")
# 草头黄, 永远的永, 三横王的王: how a name is written.
_WRITTEN = re.compile("的(?P<character>[一-鿿])$")
_PARTS_OF = re.compile(
    "(?:草头|弓长|立早|木子|双木|口天|耳东|古月|人可|言午|三横|走肖|双口|美女|文刀|卯金刀|日月|干钩于|三水|"
    "双人|双耳|木易)"
    "(?P<character>[一-鿿])$"
)
_ANONYMOUS = re.compile(
    "匿名|(?:别|不要|不用)(?:再)?(?:写|登记?|记|留|提)(?:我的?)?(?:姓名|名字|姓|名)|不(?:想|愿意?|便|方便|"
    "能|要|用|需要)?(?:再)?(?:透露|公开|提供|留|说|讲|告诉你?|提)(?:了|"
    "吧)*(?:我的?|自己的?)*"
    "(?:真实)?(?:姓名|姓|名字|名|身份)|(?:姓名|名字|身份|姓)(?:就|我)?(?:不|别)(?:想|方便|愿意?|能|要|"
    "用)?(?:说|留|透露|提供|讲|写)"
)
# As an answer to 您贵姓: these say no, whatever else.
_DECLINES = re.compile(
    "匿名|不想|不用留|别写|不写|别登记|不登|不方便|不愿|保密|不留|不说|不告诉|不提供|别问|不能说|不便|"
    "不透露|不用了|不用知道|别留|算了|"
    "不讲|热心市民|热心群众|不重要|没必要|无所谓|不用问|普通市民|一个市民|无可奉告"
)
_SECRET = re.compile(
    "保密|保护.{0,4}(?:隐私|信息)|(?:别|不要|不能|不想|不许|勿)(?:让|告诉(?!我怎)|跟|给|和).{0,8}(?:知道|"
    "是我|是谁|我(?:说|讲|打|投诉|举报|反映)|说|提)|"
    "(?:别|不要|不能|千万别|不许)(?:说|讲|透露|泄露|泄漏|公开|提|暴露|把我)(?:出去|出来|是)?(?:我|谁|个人|"
    "举报人|电话|信息|姓名|身份)|"
    "(?:别|不要|不能)说是.{1,8}(?:说|讲|举报|投诉|反映|打)的|(?:别|不要|不能)把我.{0,8}(?:给|告诉|说|透露|"
    "写|报)|"
    "怕.{0,6}(?:报复|穿小鞋|被?查出来|知道是我|找我麻烦|打击)|(?:别|不要)告诉(?!我)"
)


def find_name(text: str) -> str:
    """The name of a caller who tells it in passing (我姓王, 我叫王建国), "" where `text` does not."""
    for told in _TOLD:
        if found := told.search(text):
            longer = _NAMED.search(text, found.end("name"))
            return longer["name"] if longer else found["name"]
    return ""


def answered_name(text: str) -> str:
    """The name in `text`, an answer to 您贵姓; "" where it holds none."""
    if told := find_name(text):
        return told
    text = _without_spelling(text)
    for form in (_NICK, _NAMED, _FAMILY_ONLY, _CALLED, _TITLED):
        if found := form.search(text):
            return found["name"]
    plain = 1 <= len(text) <= 4 and polarity(text) is None and not _NO_NAME.search(text)
    return text if plain else ""


def corrected_name(text: str) -> str:
    """The name in `text` that a correction puts in the place of another: 郭大永永远的永."""
    text = re.sub("^(?:我?(?:免贵)?(?:姓|叫)|名字(?:是|叫))", "", _without_spelling(text))
    return text if re.fullmatch(f"{_FAMILY}[一-鿿]{{0,3}}", text) else find_name(text)


def declines_name(text: str) -> bool:
    """Whether `text`, an answer to 您贵姓, says that the caller will not tell.

    匿名 is often heard as something else that sounds like it.
    """
    return bool(_DECLINES.search(text)) or polarity(text) is False or sounds(text)[:2] == sounds("匿名")


def wants_anonymity(text: str) -> bool:
    """Whether the caller asks, at any time, that no name be taken down."""
    return bool(_ANONYMOUS.search(text))


def wants_secrecy(text: str) -> bool:
    """Whether the caller asks that the other side shall not learn who they are."""
    return bool(_SECRET.search(text))


def _without_spelling(text: str) -> str:
    """`text` without what tells how a name is written; where it is nothing but that, the character meant."""
    for form in (_WRITTEN, _PARTS_OF):
        found = form.search(text)
        if not found:
            continue
        before = [
            text[: max(found.start() - of_word, 0)] for of_word in ((2, 3, 1) if form is _WRITTEN else (0,))
        ]
        for told in before:
            if told.endswith(found["character"]):
                return told
        if found["character"] in before[0]:
            return before[0]
        if "姓" not in text and "叫" not in text:
            return found["character"]
    return text
