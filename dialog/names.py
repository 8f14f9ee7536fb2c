"""How callers name themselves, or say that they would rather not, found in their words as they sounded."""

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
_DOUBLE_NAMES = (
    "欧阳|司马|上官|诸葛|司徒|东方|皇甫|慕容|令狐|夏侯|尉迟|公孙|长孙|宇文|端木|"
    "闻人|东郭|南宫|西门|百里|呼延|钟离|赫连|澹台|申屠|濮阳|淳于|独孤|万俟"
)
_FAMILY = f"(?:{_DOUBLE_NAMES}|[{_FAMILY_NAMES}])"
_TITLE = (
    "先生|女士|小姐|同志|师傅|老师|阿姨|大姐|大爷|大妈|老师傅|大哥|大叔|大婶|大嫂|大娘|奶奶|爷爷|叔|姐|哥|嫂|"
    "老板|经理|主任|校长|园长|院长|厂长|店长|队长|班长|组长|会计|医生|大夫|护士|教练|律师|教授|工程师|工"
)
_GIVEN = f"(?!{_TITLE})(?:(?![的了过是们在我你他这那住家])[一-鿿]){{1,2}}"
_AFTER = "(?=$|就行|就好|就可以|电话|手机|号码|联系|我?住|身份证|我?是|的)"
_TOLD = (
    re.compile(f"(?:我叫|本人叫|姓名是?|名字叫|名字是|联系人(?:是|叫)?)(?P<name>{_FAMILY}{_GIVEN}?){_AFTER}"),
    re.compile(f"我是(?P<name>{_FAMILY}{_GIVEN})(?=$|电话|手机|联系)"),
    re.compile(f"(?:我|免贵|本人|联系人)姓(?P<name>{_FAMILY})"),
    re.compile(f"(?:我是|我叫|叫我|称呼我)(?P<name>{_FAMILY})(?:{_TITLE})"),
    re.compile(f"(?:叫我|称呼我)[小老](?P<name>{_FAMILY})"),
)
_NAMED = re.compile(f"[名叫](?:字)?(?:吧|就)?(?:叫|是)?(?P<name>{_FAMILY}{_GIVEN})$")  # 姓王叫王建国
# 秦大姐秦凤霞, 姓邢邢文博: the family name, and then all of it.
_TWICE = re.compile(
    f"^(?:我是|叫我|我?姓|免贵姓)?(?P<family>{_FAMILY})(?:{_TITLE})?(?:大?名|名字|全名|叫|是|我叫)*"
    f"(?P<name>(?P=family)(?!{_TITLE})[一-鿿]{{1,2}})$"
)
# 姓鄂，算了写我老公的，姓田: what is thought better of.
_RATHER = re.compile("^.+?(?:算了|不对|错了|还是)(?=[^不别甭]*?(?:姓|叫)[^什啥名]{1,4}(?:吧|的)?$)")
_FAMILY_ONLY = re.compile(
    f"姓氏?(?:是|个)?(?P<name>{_DOUBLE_NAMES}|(?![什啥名就我吧啊呢呀嘛吗了的也可行不没氏])[一-鿿])"
)
_NO_NAME = re.compile("[是的了错对吗呢什么这那没不必]|天|电话|号码|点|月|上|下|路|区")
# Words that look like a name: 方便, 马上.
_COMMON = re.compile(
    "方便|马上|何必|时间|常来|平时|安全|成的|明白|白天|麻烦|费用|项目|路过|路人|应该|应当|车主|金额|高兴|安心|包括|全部|"
    "温度|石头|方法|方式|简单|单位|单独|和他|向你|于是|时候|万一|终于|宁可|尤其|关于|管他|管理|解决|查到|计较"
)
_NICK = re.compile(f"^(?:叫我|我是|你?就?写(?:个|成)?)?[小老](?P<name>{_FAMILY})(?:就行|就好|吧)?$")
_CALLED = re.compile("(?:叫|名字是|名字叫|姓名是?)(?P<name>[一-鿿]{2,4}?)(?:先生|女士|$|就行|就好|就可以|吧)")
_TITLED = re.compile(
    f"^(?:我是|叫我|你?(?:那?就)?写个?)?[小老]?(?P<name>[一-鿿]{{1,3}}?)(?:{_TITLE})(?:就行|就好|就可以|就成|好了|吧)?$"
)
# 永远的永, 臧克家的臧, 草头黄: how a name is written.
_WRITTEN = tuple(re.compile(f"(?P<word>[一-鿿]{{{chars}}})的(?P<character>[一-鿿])") for chars in (2, 3))
_ONLY_LEAD = re.compile("(?:我|免贵|就|是|那个)*(?P<lead>[姓叫]?)(?:是|单名)?")
_PARTS_OF = re.compile(
    "(?:草头|弓长|立早|木子|双木|口天|耳东|古月|人可|言午|三横|走肖|双口|美女|文刀|卯金刀|日月|干钩于|三水|"
    "双人|双耳|木易)"
    "(?P<character>[一-鿿])$"
)
# As an answer to 您贵姓: these say no, whatever else.
_DECLINES = re.compile(
    "匿名|保密|无名氏|雷锋|管我是谁|随便(?:写|填|编|叫)|(?:不|别|甭)(?:太|大|怎么)?(?:想|愿意?|方便|便|能|敢|好|打算|需要|用|要|必)?(?:再)?"
    "(?:说|讲|留|写|登|记|报|提|透露|提供|告诉|问|公开|暴露|填|署|知道)|"
    "不想|不愿|不方便|不便|不用了?(?:吧|$)|不用了|算了|免了|省了|没必要|用不着|不重要|无所谓|无可奉告|"
    "热心(?:市民|群众|居民|大[叔爷妈姐哥]|人|网友|读者|的)|(?:普通|一个|一名|就是个)[一-鿿]{0,4}(?:市民|群众|居民|业主|家长|司机|路人)|过路的|路过的|"
    "就?(?:说|写|记|叫)(?:是|个|成|做)*(?:[一-鿿]{0,3}(?:遛弯|散步|跑步|晨练|买菜|住户|居民|业主|邻居|群众|市民|家长|老百姓|街坊|顾客|乘客|路人|村民))的?"
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
    text = _without_spelling(_RATHER.sub("", text))
    for form in (_TWICE, _NICK, _NAMED, _FAMILY_ONLY, _CALLED, _TITLED):
        if found := list(form.finditer(text)):
            return found[-1]["name"]  # 姓仝…就写姓童吧
    short = 1 <= len(text) <= 4 and polarity(text) is None
    whole = re.fullmatch(f"{_FAMILY}{_GIVEN}", text) and not _COMMON.match(text)  # 蓝天
    return text if short and (whole or not _NO_NAME.search(text)) else ""


def corrected_name(text: str) -> str:
    """The name in `text` that a correction puts in the place of another: 郭大永永远的永."""
    text = re.sub("^(?:我?(?:免贵)?(?:姓|叫)|名字(?:是|叫))", "", _without_spelling(text))
    text = re.sub("(?:少|漏|掉|多)了.*$", "", text)  # 张建国，少了个国字
    return text if re.fullmatch(f"{_FAMILY}[一-鿿]{{0,3}}", text) else find_name(text)


def declines_name(text: str) -> bool:
    """Whether `text`, an answer to 您贵姓, says that the caller will not tell.

    匿名 is often heard as something else that sounds like it.
    """
    text = _RATHER.sub("", text)
    return bool(_DECLINES.search(text)) or polarity(text) is False or sounds(text)[:2] == sounds("匿名")


def _without_spelling(text: str) -> str:
    """`text` without what tells how a name is written; where it is nothing but that, the character meant."""
    meant = ""
    for form in _WRITTEN:
        for found in form.finditer(text):
            if found["character"] in found["word"]:
                meant += found["character"]
                text = re.sub("(?<=[一-鿿])[一-鿿]是$", "", text.replace(found.group(), "", 1))
    if parts := _PARTS_OF.search(text):
        before = text[: parts.start()]
        if parts["character"] in before:
            return before
        meant = meant or ("" if "姓" in text or "叫" in text else parts["character"])
        text = before if meant == parts["character"] else text
    only = _ONLY_LEAD.fullmatch(text)
    return only["lead"] + meant if only and meant else text
