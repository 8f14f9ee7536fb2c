"""What the report on an evaluation explains, in the words that operations read."""

from __future__ import annotations

from hotline import labelled_speech as speech

PRIVATE = "本页载有录音的文字内容，请按通话录音的同等要求保管，不要对外转发；用完请删除。"

CER = (
    "字错误率 =（替换 + 漏字 + 多字）÷ 原文总字数，越低越好。横线是 95% 置信区间：换一批同类录音再测，"
    "结果大多会落在这个范围；两个引擎的区间若明显重叠，就不能断言谁更好。"
)
COMPARED = (
    "比较前已去掉标点和空格，统一全角半角和字母大小写，数字一律按读法比较（如“18号”与“十八号”算一致）。"
    "多听出的字也计入，所以字错误率可能超过 100%。"
)
BY_CLIP = "每一行是全部录音按字错误率分成的五档。“全对”越长越好；若右端很长，请到文末看听得最差的是哪些录音。"
PACED = (
    "声音按说话的实际速度送入，测的是来电人感受到的等待。收尾延迟：从声音结束到得出最终文字，"
    "它直接加在每次应答之前；首字延迟：从开口到出现第一个字。粗条是居中的一半，细线是 5% 到 95%，"
    "竖线是中位数；右侧两个数是中位数和 95% 分位数（毫秒）。"
)
NOT_PACED = "本次以最快速度送入声音，只测计算量。要测来电人感受到的延迟，请加 --paced 再测一次。"
REAL_TIME = (
    "实时率：处理 1 秒声音所用的秒数。“处理器”按占用的处理器时间计，0.05 表示一个核大约能同时听 20 路；"
    "“耗时”按实际经过的时间计。远程服务器上的计算不在其中。"
)
CONFIDENCE = (
    "识别引擎给每个词一个 0 到 1 的置信度。理想情况下，听对的词分数高、听错的词分数低，系统就能据此"
    "决定何时复述确认、何时转人工。AUC 是任取一个对的词和一个错的词，前者分数更高的概率："
    "1 为完全分得开，0.5 等于瞎猜。"
)
THRESHOLDS = "只采信置信度不低于门槛的词时，保留多少对词，又放过多少错词（各线路条件合计）："
CONFUSED = "左边是原文，右边是听成的字，后面是次数（各线路条件合计）。"

# Clips by their share of errors, each grade up to and with its limit.
GRADES = (
    ("全对", 0.0),
    ("错一成以内", 0.1),
    ("错三成以内", 0.3),
    ("错一半以内", 0.5),
    ("错一半以上", float("inf")),
)

_REASONS = {
    speech.NO_TEXT: "没有对应的原文",
    speech.TEXT_NO_STRING: "原文不是文字",
    speech.NOTHING_TO_COMPARE: "原文里没有可比较的字",
    speech.NO_FILE_NAMED: "没有写明录音文件",
    speech.NO_RECORDING: "找不到这条录音",
    speech.SEVERAL_RECORDINGS: "同名的录音不止一个",
    speech.NO_AUDIO: "录音里没有声音数据",
}


def reason(skipped: speech.Skipped) -> str:
    """Why something was left out."""
    return _REASONS.get(skipped.reason, f"读不了：{skipped.reason}")


def duration(seconds: float) -> str:
    """A length of time, as one says it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} 小时 {minutes} 分" if hours else f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"
