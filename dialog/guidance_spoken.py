"""What the guidance says: its fixed sentences, and how those of a service are put together."""

from __future__ import annotations

from collections.abc import Sequence

from dialog.services import Answers, Service, every_of, first_of
from dialog.words import spoken_count

AT_ONCE = 3  # materials told in one breath

ASK_STEPS = "需要我一步一步告诉您怎么办吗？"
ASK_MATERIALS = "要不要先听听需要准备什么材料？"
NOT_UNDERSTOOD = "对不起，我没有听明白。"
NOT_EXACT = "对不起，请您说得具体一点。"
GIVE_UP = "对不起，我还是没有听明白，能不能办我先不替您判断，最终以窗口审核为准。"
UNDECIDED = "有的情况还不清楚，能不能办我先不替您判断，最终以窗口审核为准。"
SPECIAL_CASE = "情况特殊的，您可以说转人工，请工作人员帮您核实。"
TAKE_YOUR_TIME = "好的，您慢慢来，好了跟我说一声。"
SAY_NEXT = "记好了您就说下一步。"
FIRST_STEP = "这已经是第一步了。"
STOPPED = "好的。"
WELCOME = "不客气。"


def opening(service: Service, questions: int) -> str:
    """Before the first of so many questions."""
    if not service.conditions:
        return f"好的，我来告诉您怎么{service.doing}。"
    return f"我来帮您看看能不能{service.doing}，先问您{'一个' if questions == 1 else '几个'}问题。"


def offer(service: Service) -> str:
    """Whether the caller wants to be guided."""
    asks = "帮您看看能不能" if service.conditions else "告诉您怎么"
    return f"需要我{asks}{service.doing}吗？"


def qualifies(service: Service, answers: Answers) -> str:
    """The verdict for who seems to qualify, with what they get."""
    gives = "".join(f"{line}，" for line in every_of(service.gives, answers))
    return f"按您说的情况，您可以{service.doing}，{gives}最终以窗口审核为准。"


def refused(reason: str) -> str:
    """The verdict for who does not seem to."""
    return f"按您说的情况，暂时还不符合条件，因为{reason}，最终以窗口审核为准。"


def bring(service: Service, answers: Answers) -> tuple[str, ...]:
    """All that must be brought."""
    return every_of(service.materials, answers)


def materials(things: Sequence[str], told: int) -> str:
    """The next of `things`, after so many were told."""
    if not things:
        return "不用带材料。"
    text = f"{'还要带' if told else '办理的时候请带上'}{_listed(things[told : told + AT_ONCE])}。"
    return text + left(len(things) - told - AT_ONCE)


def left(number: int) -> str:
    """That so many materials are still to be told; "" for none."""
    count = "两" if number == 2 else spoken_count(max(number, 0))
    return f"还有{count}样，您记好了我接着说。" if number > 0 else ""


def step(steps: Sequence[str], index: int) -> str:
    """One step, with its number."""
    if len(steps) == 1:
        return steps[0]
    return f"{'最后一步' if index == len(steps) - 1 else f'第{spoken_count(index + 1)}步'}，{steps[index]}"


def where_and_when(service: Service, answers: Answers) -> str:
    """到派出所办理，不收费，当场办好。也可以在临江办小程序里搜索居住登记办理。"""
    parts = (_place(service, answers), first_of(service.fee, answers), first_of(service.time_limit, answers))
    text = "，".join(part for part in parts if part)
    also = f"也可以在{service.online}里搜索{service.name}办理。" if service.online and service.where else ""
    return (text + "。" if text else "") + also


def details(service: Service, answers: Answers) -> dict[str, str]:
    """The answer to each short question about the service; "" where it has none."""
    things = bring(service, answers)
    return {
        "fee": first_of(service.fee, answers),
        "time": first_of(service.time_limit, answers),
        "where": _place(service, answers),
        "materials": f"要带{_listed(things)}" if things else "不用带材料",
        "online": f"可以在{service.online}里办" if service.online else "",
    }


def _place(service: Service, answers: Answers) -> str:
    where = first_of(service.where, answers)
    return f"到{where}办理" if where else f"在{service.online}里办理" if service.online else ""


def _listed(things: Sequence[str]) -> str:
    return "、".join(things[:-1]) + "，还有" + things[-1] if len(things) > 1 else "".join(things)
