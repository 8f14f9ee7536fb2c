"""Every fixed sentence the agent says to callers and seats, so that they can be synthesised in advance.

Numbers are written as they are spoken (一二三四五, 幺幺九), never in digits: a voice must not guess.
"""

from __future__ import annotations

from dialog.words import spoken_count

# -- what the call session says ------------------------------------------------------------------------------
# Each is heard after whatever was asked before, so none says what to speak of; the second is the shorter.
NO_INPUT_FIRST = "您好，我没有听到您的声音，请问您还在吗？"
NO_INPUT_SECOND = "您请讲，我一直在听。"
NO_INPUT_TRANSFER = "一直没有听到您的声音，我帮您转接人工坐席，请稍候。"
NO_INPUT_GOODBYE = "对不起，一直没有听到您的声音，我先挂断了，您可以随时再拨打一二三四五，再见。"
# While a reply is late: the first filler, then the other; they may be heard one after the other.
FILLER_FIRST = "好的，我查一下。"
FILLER_AGAIN = "让您久等了，还需要一点时间。"
STILL_HERE = "我在的，正在帮您查，请稍等。"  # to 喂？ while a reply is being prepared
STILL_TALKING = "在的，我接着说。"  # to 喂？ in the middle of a reply, which then goes on
ASR_BEHIND = "请您稍等一下。"  # while the caller's last words are still being recognised
SILENT_GOODBYE = "那就不多打扰您了，感谢您的来电，再见。"  # to silence when there was nothing more to say
PROBLEM = "对不起，我这边出了点问题，我帮您转接人工坐席，请稍候。"
PROBLEM_RETRY = "对不起，刚才没有处理好，请您再说一遍。"
START_OVER = "对不起，我重新说一下。"
NOBODY_FREE = "对不起，现在没有空闲的人工坐席，我先记下您的诉求，请工作人员给您回电话。"
OFFER_CALLBACK = "对不起，让您久等了，坐席还没有空闲。我先记下来，请工作人员给您回电话；您想继续等，请按一。"
OUT_OF_HOURS = "现在不是人工服务时间。我已经记下您的诉求，上班以后工作人员会给您回电话，感谢您的来电，再见。"
BACK_AGAIN = "您好，我是智能助手，请问还有什么可以帮您？"  # after a seat has handed the caller back
SEAT_DID_NOT_ANSWER = "对不起，刚才坐席没有接听，我再为您转接一次，请稍候。"
TRANSFER_FAILED = "对不起，暂时没有接通人工坐席。我已经记下您的来电，工作人员会给您回电话。"
SHUTDOWN_GOODBYE = "非常抱歉，系统马上要维护，这次通话要先结束了，请您过几分钟再拨，再见。"
PROBLEM_GOODBYE = "对不起，我这边出了点问题，请您稍后再拨，再见。"
BUSY_GOODBYE = "对不起，现在通话较多，请您稍后再拨，再见。"
TIME_UP = "对不起，这次通话时间已经很长，我帮您转接人工坐席。"

# -- what a seat hears before taking the call ---------------------------------------------------------------
SEAT_INTRO = "来电转接。"
SEAT_KEYS = "按一接听，按二拒接。"
SEAT_KEYS_AGAIN = "请按一接听，或者按二拒接。"
SEAT_CONNECTING = "正在接通。"

# -- what the dialog says -----------------------------------------------------------------------------------
ANYTHING_ELSE = "请问还有什么可以帮您？"
GOODBYE = "感谢您的来电，再见。"
WELCOME = "不客气，请问还有什么可以帮您？"
ACKNOWLEDGED = "好的。您还有别的问题吗？没有的话，您可以直接挂机。"
GO_AHEAD = "我在听，您请讲。"
HELLO_AGAIN = "您好，我在，请问有什么可以帮您？"
WHO_I_AM = "我是智能助手，可以回答政策问题，也可以帮您登记诉求。您想找人工，随时跟我说。请问有什么可以帮您？"
SLOWER = "好的，我说慢一点。"
TO_HUMAN = "好的，正在为您转接人工坐席，请稍候。"
REPHRASE = "对不起，我没有听清楚，您能换个说法再说一遍吗？"
NOT_UNDERSTOOD_TRANSFER = "对不起，我还是没有听明白。为了不耽误您，我帮您转接人工坐席，请稍候。"
NO_ANSWER_TRANSFER = "这个问题我这边没有查到准确的规定，为了不耽误您，我帮您转接人工坐席，请稍候。"
STATEMENT_TRANSFER = "您说的情况，我帮您转接人工坐席处理，请稍候。"
ANOTHER_WAY = "很抱歉没有帮上您。我可以帮您登记一个工单，请部门跟进，也可以转接人工坐席，您看哪一种？"
ASK_SATISFACTION = "请您给这次服务打个分，满意请说满意或者按一，一般请按二，不满意请按三。"
RATED_GOODBYE = "谢谢您的评价，祝您生活愉快，再见。"
NOT_SATISFIED = "很抱歉没能让您满意。我可以帮您登记一个工单，请部门跟进，也可以转接人工坐席，您看需要吗？"
NOTHING_KNOWN = "您说的情况，我这边没有查到现成的规定。"
OFFER_TICKET = "需要我帮您登记一个工单，转给部门处理吗？"

FIRE = "请您马上拨打火警电话幺幺九，说清楚地址，带上身边的人先离开现场，不要乘电梯。我这就帮您转接人工坐席。"
MEDICAL = "请您马上拨打急救电话幺二零，说清楚地址和病人的情况，不要随意搬动病人。我这就帮您转接人工坐席。"
POLICE = "请您先到安全的地方，马上拨打报警电话幺幺零。我这就帮您转接人工坐席。"
GAS_LEAK = "请您马上关阀、开窗、离开房间，不要开关电器，到外面拨打火警电话幺幺九。我这就帮您转接人工坐席。"
SUICIDE = (
    "您先别急，您的感受我听到了，您不是一个人。我马上请工作人员陪您说话，请不要挂断。"
    "如果现在有危险，请拨打幺二零或者幺幺零。"
)

ASK_TICKET_NUMBER = "请您说一下工单编号，一位一位地说。"
TICKET_NOT_FOUND = "对不起，没有查到这个编号的工单，请您核对一下，再说一遍编号。"
ASK_TICKET_NAME = "为了保护您的隐私，请说一下登记工单时留的姓氏，或者工单编号。"
NAME_NOT_RIGHT = "对不起，跟登记的信息对不上。请您说一下工单编号，一位一位地说。"
NO_TICKETS_OF_CALLER = "您这个号码名下没有查到工单。如果您有工单编号，请一位一位地说给我听。"

INTAKE_MATTER = "好的，我来帮您登记。请您说一下，具体是什么情况？"
INTAKE_NOTED = "好的，记下了。"
INTAKE_PLACE = "请问事情发生在什么地方？"
INTAKE_PLACE_AGAIN = "请您再说一下地点，比如哪条路、哪个小区。"
INTAKE_PLACE_WHERE = "请问具体在什么位置？比如门牌号，或者旁边有什么。"
INTAKE_TIME = "请问是什么时候发生的？"
INTAKE_NAME = "请问您贵姓？不方便说也没关系。"
INTAKE_CONTACT_SAME = "就用您现在这个号码联系您吗？"
INTAKE_CONTACT_ASK = "请您说一下联系电话，一位一位地说。"
INTAKE_CONTACT_AGAIN = "对不起，号码我没有记全，请您再一位一位地说一遍。"
INTAKE_NUMBER_ON = "请您接着说，或者从头再说一遍。"
INTAKE_NUMBER_ANEW = "请您从头再说一遍。"
INTAKE_NUMBER_GO_ON = "好的，请继续。"
INTAKE_JOIN = "这个问题有人反映过了，正在处理。"
INTAKE_JOIN_ASK = "帮您一起登记、一并跟进，可以吗？"
INTAKE_REPEAT = "对不起，我没有听清楚，请您再说一遍。"
INTAKE_WHICH_WRONG = "好的，请问哪里需要改？您直接说正确的内容就可以。"
INTAKE_CONFIRM_AGAIN = "请问这样登记对吗？"
INTAKE_FILING = "好的，我现在为您登记。"
INTAKE_CANCELLED = "好的，那就不登记了。"
INTAKE_FAILED = "对不起，工单没有登记成功，我帮您转接人工坐席，由工作人员为您登记。"

# -- how sentences begin and end that go on with what was said ----------------------------------------------
DID_YOU_MEAN = "请问您是想问，"
READ_BACK = "我跟您核对一下。"
READ_BACK_ASK = "请问对吗？"
FILED = "已经登记好了，"
FOUND = "查到了，"
FILED_PROGRESS = "您也可以凭编号来电查询进度。"


def greeting(city: str, hotline_name: str) -> str:
    """The first sentence of a call: short, so that the caller can speak."""
    return f"您好，{city}{hotline_name}，我是智能助手，请问有什么可以帮您？"


def heard_digits(spoken: str, lacking: int) -> str:
    """What was heard of a telephone number, `spoken` one by one; `lacking` digits too few, < 0 too many."""
    count = "零一两三四五六七八九十"[min(abs(lacking), 10)]
    if lacking > 0:
        return f"我听到的是{spoken}，还差{count}位，{INTAKE_NUMBER_ON}"
    if lacking < 0:
        return f"我听到的是{spoken}，多了{count}位，{INTAKE_NUMBER_ANEW}"
    return f"我听到的是{spoken}，不像是电话号码，{INTAKE_NUMBER_ANEW}"


def queued(ahead: int, expected_s: float) -> str:
    """Where a caller stands who waits for a seat: how many are before, and about how long it takes."""
    minutes = max(1, round(expected_s / 60))
    about = f"预计等待{spoken_count(min(minutes, 99))}分钟左右" if minutes > 1 else "很快就到您"
    if not ahead:
        return f"坐席都在通话中，您排在第一位，{about}，请不要挂机。"
    before = "两" if ahead == 2 else spoken_count(min(ahead, 99))
    return f"坐席都在通话中，您前面还有{before}位，{about}，请不要挂机。"


def fixed_phrases() -> list[str]:
    """All sentences above, for synthesis in advance; the greeting depends on settings: ask for it.

    Short ones that are said in one breath with the next are there together as well.
    """
    alone = [value for name, value in globals().items() if name.isupper() and isinstance(value, str)]
    asked = (
        INTAKE_PLACE,
        INTAKE_PLACE_AGAIN,
        INTAKE_PLACE_WHERE,
        INTAKE_TIME,
        INTAKE_NAME,
        INTAKE_CONTACT_SAME,
        INTAKE_CONTACT_ASK,
    )
    return alone + [INTAKE_NOTED + question for question in asked]
