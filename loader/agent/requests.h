/* One function per kind of request. Each answers on the stream; false: the other side is gone. */
#pragma once
#include "stream.h"

struct request {
  uint32_t id;
  uint32_t length;
  const unsigned char *payload; /* page-aligned */
};

bool answer_syscall(const struct stream *stream, const struct request *request);
bool answer_read_file(const struct stream *stream, const struct request *request);
bool answer_consume(const struct stream *stream, const struct request *request);
bool answer_produce(const struct stream *stream, const struct request *request);
bool answer_execute(const struct stream *stream, const struct request *request, char **environment);

/* Memory that a session maps with SYSCALL. It holds what it maps, as descriptors do, so it goes with the session as they do. */
void note_mapping(long number, const long *args, long value);
void drop_mappings(void);
