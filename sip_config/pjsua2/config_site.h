/* The capacity build's limits: one process, hundreds of calls, each with a seat's leg beside the caller's. */

/* Each leg takes two bridge ports (the call's and the program's); each bridge port costs 4 bytes per possible port. */
#define PJSUA_MAX_CALLS 512
#define PJSUA_MAX_ACC 128
#define PJSUA_MAX_CONF_PORTS 2048

/* RTP and RTCP of every leg, in one queue; SIP connections in another. With epoll there is no FD_SETSIZE limit. */
#define PJ_IOQUEUE_MAX_HANDLES 4096
#define PJSIP_MAX_TRANSPORTS 4096

/* Hash tables and the timer heap: powers of two, less one. A transaction lives 32 s after its end on UDP. */
#define PJSIP_MAX_TSX_COUNT (32 * 1024 - 1)
#define PJSIP_MAX_DIALOG_COUNT (4 * 1024 - 1)

/* Messages of PBXs with History-Info, UUI and many codecs pass the default 4000; Refer-To with Replaces passes 256. */
#define PJSIP_MAX_PKT_LEN 16000
#define PJSIP_MAX_URL_SIZE 1024

#define PJ_HAS_IPV6 1
#define PJMEDIA_HAS_VIDEO 0

/* Up to the trace of SIP messages; the packet-by-packet levels above are not compiled. */
#define PJ_LOG_MAX_LEVEL 4
