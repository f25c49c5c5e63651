/* The stream that carries frames, and the answers that go out on it. */
#pragma once
#include "protocol.h"
#include "system.h"

struct stream {
  int in;
  int out;
  bool port; /* a virtio-serial port: the host side comes and goes, and that is no end */
};

enum read_outcome { READ_OK, READ_CLOSED };

/* Room for a frame's header directly before the payload, so that a frame leaves in one write. */
#define HEADER_ROOM sizeof(struct frame_header)

/* Exits with this status when bytes on the stream cannot be told apart as frames any more. */
#define EXIT_FRAMING_LOST 2
#define EXIT_STREAM_FAILED 3

enum read_outcome stream_read(const struct stream *stream, void *bytes, size_t length);

/* Reads and drops. */
enum read_outcome stream_skip(const struct stream *stream, size_t length);

/* Sends the frame whose payload lies HEADER_ROOM bytes behind `frame`. False: the other side is gone. */
bool stream_send(const struct stream *stream, void *frame, uint32_t id, uint16_t type, uint16_t flags, uint32_t length);

bool send_error(const struct stream *stream, uint32_t id, enum error_code code, const char *text);
bool send_done(const struct stream *stream, uint32_t id, uint32_t error, enum done_stage stage);
