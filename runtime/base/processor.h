/* Which processor this is, so that what was measured on one is not used on another. */
#ifndef KILN_RUNTIME_BASE_PROCESSOR_H
#define KILN_RUNTIME_BASE_PROCESSOR_H

/* Maker and model of its cores, of each kind once, as the system tells them: on Linux and Android
 * "AuthenticAMD:25:17", or "0x41:0xd05+0x41:0xd0b" of two kinds. "" where it tells none. The same
 * text whenever it is asked, by any thread. */
const char *processor_name(void);

#endif
