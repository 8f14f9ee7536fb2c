"""A real Asterisk on loopback with the templates of sip_config/asterisk, in a folder of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.sip.agent import eventually

ASTERISK = shutil.which("asterisk") or shutil.which("asterisk", path="/usr/sbin")
TEMPLATES = Path(__file__).parents[2] / "sip_config" / "asterisk"
CARRIER = "13600000001"  # the caller's number; by it the carrier is known here, where all addresses are one
MODULES = """
pbx_config app_exec app_dial app_queue app_playback app_stack app_verbose bridge_simple bridge_native_rtp
bridge_holding bridge_builtin_features codec_alaw codec_ulaw codec_a_mu codec_g722 format_pcm
func_callerid func_channel func_cut func_logic func_strings func_hangupcause res_musiconhold
res_rtp_asterisk res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_pjproject res_pjsip res_pjsip_session res_pjsip_pubsub res_pjsip_refer res_pjsip_sdp_rtp
res_pjsip_caller_id res_pjsip_header_funcs res_pjsip_nat res_pjsip_rfc3326
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_authenticator_digest
res_pjsip_outbound_authenticator_digest res_pjsip_dtmf_info res_pjsip_acl res_pjsip_dlg_options
chan_pjsip
"""
ASTERISK_CONF = """[directories]
astetcdir => {folder}
astmoddir => {modules}
astdatadir => {data}
astvarlibdir => {folder}
astdbdir => {folder}
astkeydir => {folder}
astagidir => {folder}
astspooldir => {folder}
astrundir => {folder}
astlogdir => {folder}
"""
PJSIP_CONF = """[global]
type=global
endpoint_identifier_order=username,ip

[udp]
type=transport
protocol=udp
bind=127.0.0.1:{port}

[{carrier}]
type=endpoint
context=from-carrier
disallow=all
allow=alaw
direct_media=no

[seat]
type=endpoint
context=nowhere
aors=seat
disallow=all
allow=alaw
direct_media=no

[seat]
type=aor
contact={seat}

#include pjsip_hotline.conf
"""
EXTENSIONS_CONF = """[from-carrier]
exten => 12345,1,Goto(hotline,12345,1)

#include extensions_hotline.conf
"""


def free_port() -> int:
    """A UDP port on loopback that nobody has just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def template(name: str, values: Mapping[str, str]) -> str:
    """A template with its placeholders replaced."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    for placeholder, value in values.items():
        assert placeholder in text, f"{name} has no {placeholder}"
        text = text.replace(placeholder, value)
    return text


@contextmanager
def running_asterisk(folder: Path, port: int, *, agent: str, seat: str) -> Iterator[Path]:
    """Asterisk for the length of a with block; gives the folder of its log."""
    assert ASTERISK is not None
    usr = Path(ASTERISK).resolve().parents[1]
    folder.mkdir()
    host, _, agent_port = agent.rpartition(":")
    files = {
        "asterisk.conf": ASTERISK_CONF.format(
            folder=folder,
            modules=next(usr.glob("lib/*/asterisk/modules"), usr / "lib/asterisk/modules"),
            data=usr / "share/asterisk",
        ),
        "modules.conf": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULES.split()),
        "logger.conf": "[logfiles]\nmessages.log => notice,warning,error,verbose,debug\n",
        "rtp.conf": "[general]\nrtpstart=20000\nrtpend=20999\n",
        "musiconhold.conf": "",
        "pjsip.conf": PJSIP_CONF.format(port=port, carrier=CARRIER, seat=seat),
        "extensions.conf": EXTENSIONS_CONF,
        "queues.conf": "[general]\n#include queues_hotline.conf\n",
        "pjsip_hotline.conf": template("pjsip_hotline.conf", {"AGENT_HOST": host, "AGENT_PORT": agent_port}),
        "extensions_hotline.conf": template("extensions_hotline.conf", {}),
        "queues_hotline.conf": template(
            "queues_hotline.conf", {"PJSIP/SEAT_1": "PJSIP/seat", "member => PJSIP/SEAT_2": ""}
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            [ASTERISK, "-f", "-vvv", "-C", str(folder / "asterisk.conf")],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:

        def ready() -> bool:
            said = (
                (folder / "messages.log").read_text(errors="replace")
                if (folder / "messages.log").exists()
                else ""
            )
            assert process.poll() is None, (folder / "console").read_text(errors="replace")[-3000:] + said[
                -2000:
            ]
            return "Asterisk Ready" in said

        eventually(ready, timeout_s=30)
        yield folder
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
