"""What is said in many ways but meant as one, and what sounds alike but must not be taken for one another.

The groups are plain Chinese, not of one city's knowledge; what callers say of one matter belongs into the
phrasings of its passage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialog.coverage import heard
from dialog.words import clean, in_words, strip_fillers

# All are rewritten to the first of their group.
_SYNONYMS = (
    "丢了 丢失了 丢失 遗失 弄丢了 掉了 不见了 找不到了 找不着了 弄没了",
    "补办 重新办 重办 补领 再办一张 补一张",
    "要多久 需要多久 多长时间 多少时间 要几天 需要几天 几天能 多少天 什么时候能 多久 "
    "要等多少天 要等多久 要等几天 得等多久 等几天 得多久 得几天 几天可以 多少个工作日",
    "多少钱 费用 收费吗 怎么收费 收多少 要钱吗 贵不贵 几块钱 "
    "收不收费 要不要钱 收不收钱 花不花钱 要不要交钱 要不要花钱 "
    "收钱吗 收钱不 要钱不 要收费吗 要交多少 交多少钱 要多少钱 得多少钱 花多少钱 "
    "收多少钱 多少费用 什么价 啥价 怎么算钱",
    "在哪 去哪里 在哪里 到哪里 哪里 去哪儿 哪儿 去哪 上哪 什么地方 哪个地方 地址 "
    "往哪里 往哪儿 往哪 到哪儿 到哪 上哪儿 上哪里 跑哪儿 跑哪里 跑哪 在哪儿",
    "什么材料 哪些材料 什么东西 哪些东西 什么资料 哪些资料 哪些手续 什么手续 什么证件 哪些证件 带什么 带啥",
    "找谁 找哪个部门 哪个部门 归谁管 归哪里管 谁来管 谁负责 哪个单位",
    "打什么电话 打哪个电话 打电话给谁 什么电话 电话是多少 热线是多少",
    "什么时候 啥时候 什么时间 哪天 几月几号 几号 啥时 哪一天",
    "可以 能不能 可不可以 能否 行不行 让不让 许不许 允不允许 成不成",
    "怎么 如何 怎样 咋 咋个",
    "怎么办 咋办 怎么弄 咋弄 怎么搞 怎么整 咋整 咋搞 怎么处理",
    "几月 几月份 哪个月",
    "孩子 小孩 小朋友 娃 儿子 女儿 宝宝",
    "老人 老年人 我爸 我妈 爸爸 妈妈 父母 老头 老太太",
    "离职 辞职 辞工",
    "驾驶证 驾照",
    "社保 社会保险",
    "医保 医疗保险",
    "公积金 住房公积金",
    "养老金 退休金 退休工资",
    "补贴 补助 津贴",
    "优惠 减免 便宜",
    "办理 申办 办一个 办个",
    "取出来 提取 支取 取出",
    "欠薪 拖欠工资 不发工资 没发工资 工资不给 不给工资",
    "房产证 不动产证 不动产权证 房本",
    "营业执照 执照",
    "结婚证 领证 结婚登记 登记结婚",
    "燃气 天然气 煤气",
    "电动车 电瓶车 电动自行车",
    "网上 线上 手机上 在网上",
    "外地 异地 外省 外市",
)
_CANON = {word: words.split()[0] for words in _SYNONYMS for word in words.split()}
_SYNONYM = re.compile("|".join(sorted(map(re.escape, _CANON), key=len, reverse=True)))

# By which words an answer shows that it tells how much, where, how long …, though no phrasing asks for it.
_TELLS = (
    ("多少钱", re.compile("[0-9]元|[两五]元|免费|不收费|%")),
    ("打什么电话", re.compile("拨打")),
    ("找谁", re.compile("拨打|由.*(?:负责|管|处理)|归.*管|找")),
    ("在哪", re.compile("大厅|窗口|[路道街][0-9]+号|派出所|社区|小程序|手机应用|银行|街道|医院|营业厅")),
    ("什么材料", re.compile("带|材料|证明|凭|准备")),
    ("要多久", re.compile("工作日|当场|当天|小时|分钟|[0-9]天|个月")),
    ("几点", re.compile("[0-9]点")),
    ("可以吗", re.compile("可以|不能|都能|就能|可办")),
)


def canonical(text: str) -> str:
    """Cleaned text without fillers, numbers in words, synonyms rewritten to one form."""
    return rewritten(strip_fillers(clean(text)))


def rewritten(text: str) -> str:
    """Cleaned text with numbers in words, synonyms rewritten to one form."""
    return _SYNONYM.sub(lambda match: _CANON[match.group()], in_words(text))


def tells(answer: str) -> list[str]:
    """The questions, in canonical words, that an answer looks like answering (多少钱, 在哪 …)."""
    return [asked for asked, shown in _TELLS if shown.search(answer)]


# Of each row mostly one is meant: what tells of 社保卡 does not answer a question for the 护照.
_RIVALS = tuple(
    row.split()
    for row in (
        "社保 医保 公积金 失业金 养老金",
        "燃气 暖气 自来水 水费 电费 停水 停电 停气 水表 电表 煤气罐",
        "身份证 居住证 护照 驾驶证 行驶证 残疾证 老年证 健康证 结婚证 离婚证 房产证 营业执照 许可证 出生证明 "
        "准生证 户口本 通行证 狗证 社保卡 医保卡 公交卡 银行卡 手机卡 信用卡",
        "食品 药品 农药 烟草",
        "买 卖",
        "买房 卖房 租房",
        "结婚 离婚",
        "公交 地铁 出租车 网约车",
        "幼儿园 小学 初中 高中 大学 中考 高考",
        "老人 孩子 残疾人 盲人 大学生 低保户",
        "住院 门诊",
        "狗 猫",
        "江北 江南 高新 滨河",
    )
)
# Cases of a matter that are handled in a way of their own; of each row one word is as good as another.
_CASES = tuple(
    row.split()
    for row in (
        "丢了 补办 怎么补 在哪补 能补 补证 补卡",
        "到期 过期 续签 续期 换证",
        "变更 改",
        "注销 销户",
        "过户",
        "断缴 断交 停缴 断了",
        "贷款 能贷",
        "转移 怎么转",
    )
)

# What is asked by any of the first words is answered only where these, or any of the second, occur: who asks
# what is paid for damage is not answered by a fee, and who names another city not by this one's rules.
_ASPECTS = tuple(
    (tuple(asked.split()), tuple(f"{asked} {shown}".split()))
    for asked, shown in (
        ("多少钱 几块 价格", "元 免费 不收 多少"),
        ("在哪", "大厅 窗口 小程序 医院 社区"),
        ("要多久", "天 工作日 小时 分钟 月 年"),
        ("什么时候 几月 几点", "月 点 天 日"),
        ("打什么电话", "拨打"),
        ("赔 补偿", "两倍 三倍"),
        ("违约金 定金 押金", ""),
        ("利率 利息 百分之 几个点", "贷款 税"),
        ("资格证 考试 考证 怎么考 自考", "考"),
        ("招聘 招人 招不招 招工", "求职 就业"),
        ("什么牌子 哪个牌子 牌子好 品牌 推荐 哪家好 哪个好 哪种 靠谱 划算 值不值 合适 型号 区别", ""),
        ("工资 薪", ""),
        ("判 坐牢 拘留 犯罪 看守所 监狱", "罪"),
        ("起诉 打官司 法院 取证", "仲裁 法律 律师 报警"),
        ("违法 犯法 合法 违规", "不能 不可以 禁止 违 罚 不让"),
        ("股票 基金 理财", ""),
        ("商业 商用 工业 农业", ""),
        ("车险 交强险 商业险 重疾险 惠民保 保险公司", ""),
        ("律师", ""),
        ("中介", ""),
        ("签证", "签注"),
        ("外国 美国 日本 韩国 国外 出国", "出入境 护照 外语 英语"),
        (
            "北京 上海 天津 重庆 广州 深圳 杭州 南京 苏州 成都 武汉 西安 长沙 郑州 东莞 佛山 宁波 青岛 济南 "
            "合肥 福州 厦门 南昌 昆明 贵阳 南宁 海口 石家庄 太原 沈阳 大连 长春 哈尔滨 兰州 无锡 温州 珠海 "
            "三亚 省城",
            "外地 离开 转移",
        ),
        ("拆迁 征地 宅基地", ""),
        ("医保 报销", "报"),
        ("摩托车 货车 面包车 三轮车", ""),
        ("高考 考研 大学", ""),
        ("彩票 中奖", ""),
        ("门票 景区 景点 旅游", ""),
        ("火车票 高铁 飞机 机票 机场 长途", ""),
        ("公务员 事业单位", ""),
        ("当兵 退伍 退役 军人", "军"),
        ("网贷 信用卡 征信", ""),
        ("拍卖 查封 冻结 执行", ""),
        ("抚养费 抚养权 彩礼 财产", "抚养"),
        ("监控 辐射 甲醛", ""),
        ("领导 局长 市长", ""),
        ("多少分 满分", ""),
        ("房租 租金 房东 租客", "租"),
        ("退钱 退款 退费 能退", "退 赔 追"),
        ("猫 鸡 鸽子 蛇", ""),
        ("奖金 奖励", "奖 补"),
        ("税", ""),
        ("发票", ""),
        ("照片 拍照", "照"),
        ("通车 建成 竣工", "通车 建成 竣工"),
        ("几路", "几路"),
        ("不一样 差别", "一样 不同"),
        ("邮寄 寄到", "寄"),
        ("学费 学杂费 奖学金", "学费 奖学金"),
        ("录取 分数线 志愿", "录取 分数 志愿"),
        ("专利 商标 版权 海关 上市", "专利 商标 版权 海关"),
        ("月嫂 保姆 护工 保洁 家教 代驾", "护工 保姆 护理 上门"),
        ("墓 火化 骨灰 殡", "墓 火化 骨灰 殡"),
        ("遗嘱 遗产", "继承 遗"),
        ("股东 股份 破产", "股东 破产 清算"),
        ("大夫 专家", "大夫 专家 医生"),
        ("症状 吃药 激素", "症状 药 激素"),
        ("涨 降价", "涨 调 元"),
        ("旅行社 民宿", "旅行社 民宿"),
        ("空白 竞业 试用", "空白 竞业 试用"),
        ("余额 还剩多少", "余额 查"),
        ("写错 错字 登错", "错 更正"),
        ("伙食 几顿 菜单", "伙食 餐 饭"),
        ("家具 家电", "家具 家电"),
        ("转让 转给别人", "转让 转给"),
        ("清洗 清淤 打捞", "清 捞"),
        ("上限 封顶", "上限 封顶 最高 最多 不超过"),
        ("后果 会怎么样", "否则 罚 影响 不能"),
        ("验收 报批 审批", "验收 批 许可"),
        ("肺炎疫苗 肺炎球菌 带状疱疹 九价 二价 四价 流感", "肺炎 疱疹 价 流感"),
        ("商铺 门面房 洗车 厂房 单位用", "商 非居民 单位 企业"),
        ("外国人 外籍 老外", "外国 外籍"),
        ("大使馆 领事馆", "使馆 领事"),
        ("绝育", ""),
        ("装修", ""),
        ("买车 购车", "车"),
        ("看病 治病", "看病 医 病 诊"),
        ("留学", "留学"),
        ("开工 完工 动工 什么时候修", "开工 完工 动工"),
        ("一般纳税人", ""),
        ("充电桩", "充电"),
        ("集体户", ""),
        ("宅基地 耕地 的地", "地"),
        ("理发店 美容店 棋牌室 网吧 酒吧 宾馆 旅馆 药店", ""),
        ("过敏 副作用 发烧", "过敏 反应 发烧"),
        ("几顿 几层 几平 多大面积 面积", "平 层 面积"),
        ("降压药 什么药 哪种药", ""),
        ("模板 范本 格式 样本 帮我写", "模板 范本 格式 样本"),
        ("招几个 名额 多少人", "名额 人"),
        ("复婚 涉外", ""),
        ("领养 送养", ""),
        ("双倍 三倍 几倍", "倍"),
        ("区别 不一样", "区别 不同"),
    )
)


def untold(asked: str, passages: Sequence[str]) -> list[int]:
    """Of each of `passages` how many aspects of canonical `asked` it says nothing about."""
    rows = [shown for words, shown in _ASPECTS if any(word in asked for word in words)]
    return [sum(not any(word in passage for word in shown) for shown in rows) for passage in passages]


@dataclass(frozen=True, slots=True)
class Matter:
    """Which rivals a text names, by their row, and which cases (their rows)."""

    rivals: Mapping[int, frozenset[str]]
    cases: frozenset[int]

    def lacks(self, asked: Matter) -> bool:
        """Whether a text about this names rivals of what is `asked`, or leaves out a case that is asked."""
        for row, named in asked.rivals.items():
            if row in self.rivals and not named <= self.rivals[row]:
                return True
        return not asked.cases <= self.cases


def matter(text: str, sound: str) -> Matter:
    """The rivals and cases that canonical `text` names; words of two and more syllables also by `sound`."""
    named = [(row, word) for row, word, heard_as in _RIVAL_SOUNDS if word in text or heard_as in sound]
    rivals = {row: frozenset(word for other, word in named if other == row) for row, _ in named}
    return Matter(rivals, cases(text, sound))


def cases(text: str, sound: str) -> frozenset[int]:
    """The cases that canonical `text` names, which sounds like `sound` (dialog/coverage.py)."""
    return frozenset(row for row, word, heard_as in _CASE_SOUNDS if word in text or heard_as in sound)


def _with_sounds(rows: Sequence[Sequence[str]]) -> list[tuple[int, str, str]]:
    """The words with their row and sound; single syllables sound like too many, so theirs match nothing."""
    return [
        (number, word, heard(word) if len(word) > 1 else "|")
        for number, row in enumerate(rows)
        for word in row
    ]


_RIVAL_SOUNDS = _with_sounds(_RIVALS)
_CASE_SOUNDS = _with_sounds(_CASES)
