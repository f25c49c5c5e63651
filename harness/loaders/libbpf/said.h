/* What libbpf says while it works: its warnings are its errors' only explanation. */
#ifndef SAID_H
#define SAID_H

#include <stddef.h>

/* Called through libbpf_set_print: collects what is not for debugging. */
void said_listen(void);

/* Lines without libbpf's prefix, in order. Verifier logs are not among them. */
size_t said_count(void);
const char *said_line(size_t index);

/* Why the step failed whose first line is `from`: the warnings since then, without those that only say that it did. Null if there are none. */
const char *said_why(size_t from);

/* The program that could not be loaded, its errno and the verifier's log; null, 0 and null if there was none. */
struct said_failure {
	const char *program;
	int error;
	const char *log;
};
struct said_failure said_failure(void);

#endif
