"""What callers tell in passing, in many words: firms, wishes, pleas for secrecy, spans of time, numbers."""

from __future__ import annotations

import pytest

from dialog.businesses import find_business, kind_of
from dialog.contacts import dictated
from dialog.discretion import wants_anonymity, wants_secrecy
from dialog.moments import find_duration, told_time
from dialog.names import answered_name, declines_name
from dialog.places import load_gazetteer
from dialog.slots import Intake, told_matter, value_of
from dialog.wishes import forms, wish_in, wish_in_clauses

pytestmark = [pytest.mark.unit]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我在学而优培训学校给孩子报了个作文班", "学而优培训学校"),
        ("我婆婆住在康乐护理院，护工不给她翻身", "康乐护理院"),
        ("我在好再来足浴办了张五千的卡", "好再来足浴"),
        ("我在临江买的房，开发商是鸿泰地产", "鸿泰地产"),
        ("一个叫做蜜雪时光的奶茶店，喝出来一个塑料片", "蜜雪时光"),
        ("大通证券的客户经理忽悠我炒股", "大通证券"),
        ("我在速易贷上借了两万块钱", "速易贷"),
        ("振华建筑公司欠我们工资", "振华建筑公司"),
        ("我在顺发制衣厂干了两年", "顺发制衣厂"),
        ("学校食堂给孩子吃的都是发霉的米", ""),
        ("我们单位附近有个化工厂排臭气", ""),
        ("楼下新开的火锅店半夜还在吵", ""),
        ("我要举报一个黑诊所", ""),
        ("报了个夕阳红旅游团", ""),
        ("在那家自助餐厅吃的海鲜", ""),
        ("有辆白色面包车停在盲道上", ""),
    ],
)
def test_a_firm_is_told_by_what_kind_of_business_ends_its_name(text: str, name: str) -> None:
    assert find_business(text) == name


def test_the_kind_of_a_business_ends_its_name() -> None:
    assert kind_of("彩云旅行社") == kind_of("彩霞旅行社") == "旅行社"
    assert kind_of("老张") == ""


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("快递公司只肯赔五十我要按保价赔", "我要按保价赔"),
        ("急着考试用给催", "给催"),
        ("坑越来越大了给填一填吧", "给填一填吧"),
        ("窗帘都挡不住让他们夜里关了", "让他们夜里关了"),
        ("扣了一年退我们钱", "退我们钱"),
        ("别的不要就要他们认个错", "就要他们认个错"),
        ("业务员离职了到期取不出来要求还钱", "要求还钱"),
        ("说好三十天报下来催催他们", "催催他们"),
        ("我要退卡他不给退", ""),
        ("让他们赔他们不理", ""),
        ("他们把围墙拆了", ""),
        ("快递给我退回来了", ""),
        ("眼看就要倒了", ""),
        ("他要我赔他五千块", ""),
    ],
)
def test_the_last_clause_may_be_a_wish(text: str, wish: str) -> None:
    assert wish_in(text) == wish


@pytest.mark.parametrize(
    "text",
    [
        *("千万别说是邻居报的", "不要对外说", "举报人别写我", "你们可得替我瞒着点", "别暴露我", "别往外传"),
        *("我的身份不要公开", "怕学校给孩子穿小鞋", "不希望单位知道是我", "我名字不要让店家知道", "别出卖我"),
        *("查的时候别点我的名", "来的时候别让他们看出来", "去的时候别说有人投诉", "莫跟他们讲是我打的电话"),
    ],
)
def test_pleas_for_secrecy(text: str) -> None:
    assert wants_secrecy(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "物业不告诉我们原因",
            "我不想说名字",
            "别写我名字",
            "不要给我打电话",
            "不能让他们这么干",
            "怕他摔着",
        ),
        *("村里的账从来不公开", "他说不要告诉家里人", "你别跟我说这些", "不要让孩子再吃这种东西", "别提了"),
    ],
)
def test_what_only_sounds_like_one(text: str) -> None:
    assert not wants_secrecy(text)


def test_who_hides_the_name_only_is_anonymous() -> None:
    assert wants_anonymity("不方便透露身份")
    assert wants_anonymity("名字别写了")
    assert not wants_anonymity("不要把我的名字告诉他们")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("排了两年的队", "两年"),
        ("审了一个月还是待受理", "一个月"),
        ("挂了仨月也不摘", "仨月"),
        ("断网五天", "五天"),
        ("用了三个月就坏了", ""),
        ("出差了两个月没人住", ""),
        ("请假都请了三天了", ""),
        ("过期五天了还在卖", ""),
        ("等了三个钟头", ""),
    ],
)
def test_how_long_it_has_gone_on(text: str, span: str) -> None:
    assert find_duration(text) == span


def test_numbers_of_houses_and_phrases_are_no_days() -> None:
    assert told_time("复兴路从二十号到四十号那一片路灯不亮") == ""
    assert told_time("今天推明天明天推后天") == ""
    assert told_time("十月二十号到二十五号都没水") == "十月二十号到二十五号"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("号码是幺八八，停一下啊，三三四四，五五六六", "18833445566"),
        ("幺三九九九，零八，零八零八，等等我重说一遍，幺三九九九零八零八零七", "13999080807"),
        ("幺三八不对不对幺三九零零零零一二三四", "13900001234"),
        ("我第二个号码幺八六然后是七七七七然后嗯九九九九", "18677779999"),
    ],
)
def test_a_number_begun_anew_or_held_up(text: str, number: str) -> None:
    assert dictated(text) == number


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("楼道灯黑了半个月能修修不", "能修修不"),
        ("末班车收得太早恳请增开一班", "恳请增开一班"),
        ("界桩被挪了劳驾来人量一量", "劳驾来人量一量"),
        ("合同都到期了押金该还给我", "该还给我"),
        ("这个账我算不明白谁能给我算一算", "谁能给我算一算"),
        ("旅行社临时换了酒店退团费", "退团费"),
        ("保安扣着我的身份证把身份证还我", "把身份证还我"),
        ("我投稿没回音你们帮我问", "你们帮我问"),
        ("天天跳到十一点叫他们别再放了", "叫他们别再放了"),
        ("路灯什么时候能给装上", "什么时候能给装上"),
        ("猫卡在墙缝里你们给想想办法", "你们给想想办法"),
        ("我就是讨个说法", "讨个说法"),
        ("他那个烧烤证都没有没证就关了", "没证就关了"),
        ("校门口车太多派个交警来疏导疏导", "派个交警来疏导疏导"),
        ("工地晚上十点以后别干了", "别干了"),
        ("这事你们得查个水落石出", "你们得查个水落石出"),
        ("车位让他腾出来", "让他腾出来"),
        ("应该给老年人留个窗口", "应该给老年人留个窗口"),
        ("把我的分加回来", "把我的分加回来"),
        ("吊销他的执照", "吊销他的执照"),
        ("他们答应退款", ""),
        ("我的低保给停了", ""),
        ("卖家说拍了不能退钱", ""),
        ("他不肯把本子还我", ""),
        ("老师让孩子们天天扫地", ""),
    ],
)
def test_a_wish_may_be_put_in_few_words(text: str, wish: str) -> None:
    assert wish_in(text) == wish


@pytest.mark.parametrize(
    "text",
    [
        *("别让他们摸清是谁举报的", "可别走漏了风声", "别露了我的底", "你们可别把我抖出来", "千万别扯上我"),
        *("别跑去他家说是楼上反映的", "你们嘴可得严点", "他要问起来就说你们自己查到的", "我不方便出面"),
        *("别让对方拿到我的号码", "别跟我们领导讲", "让他知道了我就没法住了", "来查别先打招呼说谁告的"),
    ],
)
def test_pleas_for_secrecy_in_idioms(text: str) -> None:
    assert wants_secrecy(text)


@pytest.mark.parametrize("text", ["别露天烧烤", "叫他们别漏水了", "别把我家的水停了", "不能光说有问题"])
def test_what_is_forbidden_else_is_no_plea(text: str) -> None:
    assert not wants_secrecy(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("秦大姐秦凤霞", "秦凤霞"),
        ("姓秦秦凤霞", "秦凤霞"),
        ("姓鲁算了写我媳妇的姓方", "方"),
        ("张姐", "张"),
        ("姓东方", "东方"),
        ("马工", "马"),
        ("我姓闻人", "闻人"),
        ("胡女士就行", "胡"),
    ],
)
def test_a_name_said_twice_or_thought_better_of(text: str, name: str) -> None:
    assert answered_name(text) == name


def test_who_gives_another_name_does_not_decline() -> None:
    assert not declines_name("姓鲁算了写我媳妇的姓方")
    assert declines_name("姓名算了")


def test_what_lies_long_behind_is_not_when_it_happened() -> None:
    assert told_time("说我名下有辆车那是十年前卖了的报废车") == ""
    assert told_time("我家五年前装的") == "五年前"
    assert told_time("过渡费说按季度打一直欠着") == ""
    assert find_duration("书包摆一天没人") == ""
    assert find_duration("停水一天没人来修") == "一天"
    assert find_duration("儿子跟我断绝来往十年了") == ""


def test_a_lorry_that_blocks_a_lane_names_no_station() -> None:
    gazetteer = load_gazetteer()
    assert gazetteer.find("一溜大货车占着非机动车道") == ""
    assert gazetteer.find("我租的长租公寓公司跑了") == ""


def test_each_form_of_a_wish_finds_the_wish_it_is_named_by() -> None:
    every = forms()
    assert [wish for wish, form in every.anywhere.items() if not form.search(f"那个坑又大又深的{wish}")] == []
    for clauses in (every.clauses, every.last_clause):
        assert [wish for wish, form in clauses.items() if not form.match(wish)] == []


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("车子堆得跟山一样，叫运营的公司来把车子拉走一些好不好", "叫运营的公司来把车子拉走一些好不好"),
        ("中介讲那个是服务费，我要他把定金退给我", "我要他把定金退给我"),
        ("我哪个要看视频啊，叫他们给我取消掉，以后不要乱开东西", "叫他们给我取消掉以后不要乱开东西"),
        ("路口太危险了，装个反光镜吧", "装个反光镜吧"),
        ("烟囱冒黑烟，让它停产", "让它停产"),
        ("吃坏了肚子，误工费医药费都得他出", "误工费医药费都得他出"),
        ("这个坑太深，先拿个东西围一下，谢谢了啊", "先拿个东西围一下"),
        ("等了半年，总得有个时间吧", "总得有个时间吧"),
        ("这种店，摘掉它的牌子", "摘掉它的牌子"),
        ("天花板都泡了，把我家地板也泡了", ""),
        ("物业说了半年，修一半就停了", ""),
        ("我叫他修，他说让我等等", ""),
        ("房东要卖房，让我月底搬走", ""),
        ("没带换的衣服，天天这样谁受得了", ""),
    ],
)
def test_how_a_last_clause_begins_tells_a_wish(text: str, wish: str) -> None:
    assert wish_in_clauses(text) == wish


def test_a_wish_of_clauses_stands_in_the_matter_as_it_is_spelled() -> None:
    told = told_matter(
        Intake(), "你好，世纪大到那个坑太深了，叫市政的来把它填平行不行，谢谢", load_gazetteer()
    )
    assert value_of(told, "wish") == "叫市政的来把它填平行不行"
    assert told.matter.endswith(value_of(told, "wish"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("我在长姜路九十九号的万家房产看中一套房", "长江路九十九号"),
        ("我爱钓鱼的，滨河路靠近滨江公园那一段臭得很", "滨河路靠近滨江公园那一段"),
        ("我是退了休的老教师，小区广场上天天跳舞", ""),
        ("他说这是他家花园，花园，房产证上哪有", ""),
        ("建设路，三十二号，门口有个坑", "建设路三十二号"),
    ],
)
def test_where_it_is_told_in_passing(text: str, place: str) -> None:
    assert load_gazetteer().find(text).removesuffix("门口") == place


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我在，的鸿运楼请客吃饭，叫他开发票", "鸿运楼"),
        ("，那个仁和堂，医保卡能刷大米", "仁和堂"),
        ("我跟老姐妹在阳光假日报了个旅游团", "阳光假日"),
        ("放到一个聚宝投资里头，到期取不出来", "聚宝投资"),
        ("有个叫快剪先生的，剪个头要我八百", "快剪先生"),
        ("我网贷借的，叫及时雨，一天催我三十遍", "及时雨"),
        ("电梯卡在十一楼，里面有人", ""),
        ("教学楼的厕所没人扫", ""),
        ("楼下那家早点铺油烟大", ""),
        ("跟他讲了三回，叫人来修也不来", ""),
        ("在银行存的钱变成保险", ""),
    ],
)
def test_names_that_tell_no_kind_are_told_by_what_points_to_them(text: str, name: str) -> None:
    assert find_business(text) == name


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("我孙子喝了起疹子给化验化验吧", "给化验化验吧"),
        ("一天到晚嗡嗡的全是绿头蝇挪走行不行", "挪走行不行"),
        ("这不是双减了吗请学校少布置点", "请学校少布置点"),
        ("少了两分的钱找谁要去我要重新量", "我要重新量"),
        ("拿回来发现电池给我换成旧的了找他他翻脸不认", ""),
        ("营业厅让我打客服客服让我去营业厅这球踢的", ""),
        ("一刮风就要掉下来的样子底下就是公交站", ""),
    ],
)
def test_a_wish_at_the_end_is_told_without_pauses_too(text: str, wish: str) -> None:
    assert wish_in_clauses(text) == wish


def test_what_is_asked_for_is_no_plea_for_secrecy() -> None:
    assert not wants_secrecy("能不能有个人工给我看一看到底差什么")
    assert wants_secrecy("单位那头千万别透一点风")


def test_so_long_a_spell_of_peace_is_no_duration() -> None:
    assert find_duration("你们来查完他就关了两天第三天又开始了") == ""
    assert find_duration("脚手架搭在那三个月没人") == "三个月"


def test_where_somebody_is_treated_is_not_where_it_was() -> None:
    gazetteer = load_gazetteer()
    assert gazetteer.find("有两个现在在儿童医院输液") == ""
    assert gazetteer.find("儿童医院门口的小贩太多") == "儿童医院门口"


@pytest.mark.parametrize(
    "text", ["打这个别给公司那边", "你先别给村里看", "随便打，反正号码别给他", "单位那头千万别透一点风"]
)
def test_whom_not_to_tell_may_be_said_last(text: str) -> None:
    assert wants_secrecy(text)


@pytest.mark.parametrize(
    "text",
    [
        "替我保个密",
        "能不能不让对方知道",
        "查的时候就说是抽查",
        "对外别讲",
        "传出去我没法做人",
        "不方便让单位知道",
        "别写我名字给他看",
        "这事就咱俩知道啊",
    ],
)
def test_more_ways_to_ask_for_secrecy(text: str) -> None:
    assert wants_secrecy(text)


@pytest.mark.parametrize(
    "text", ["他不让我说是他撞的", "物业不告诉我们钱花哪了", "他不给我看合同", "不要让他再养了"]
)
def test_what_others_hide_is_no_plea(text: str) -> None:
    assert not wants_secrecy(text)


def test_time_and_length_in_more_words() -> None:
    assert told_time("昨儿个下午三点多，他把我车刮了") == "昨儿个下午三点多"
    assert told_time("医保说不在目录里，可上个月还能报呢") == ""
    assert find_duration("路灯黑了一个来月了") == "一个来月"
    assert find_duration("水停了一天一夜") == "一天一夜"


def test_who_writes_another_name_or_none() -> None:
    assert answered_name("写我儿子名字吧高翔") == "高翔"
    assert answered_name("你就写老李") == "李"
    assert declines_name("你甭管我是谁")
    assert declines_name("叫我热心大叔")
