#include "stream.h"

/* A port without a host answers at once, with 0 bytes or a hang-up: wait this long before asking again. */
#define HOST_AWAY_MS 10

static bool write_all(int fd, const unsigned char *bytes, size_t length) {
  while (length > 0) {
    long written = write_some(fd, bytes, length);
    if (written == -EAGAIN) {
      struct poll_entry entry = {fd, POLLOUT, 0};
      CALL4(SYS_ppoll, &entry, 1, 0, 0);
      if ((entry.revents & (POLLHUP | POLLERR)) != 0) sleep_ms(HOST_AWAY_MS);
      continue;
    }
    if (written <= 0) return false;
    bytes += written;
    length -= (size_t)written;
  }
  return true;
}

enum read_outcome stream_read(const struct stream *stream, void *bytes, size_t length) {
  unsigned char *at = bytes;
  while (length > 0) {
    long count = read_some(stream->in, at, length);
    if (count == -EAGAIN) {
      struct poll_entry entry = {stream->in, POLLIN, 0};
      CALL4(SYS_ppoll, &entry, 1, 0, 0);
      if ((entry.revents & POLLHUP) != 0 && (entry.revents & POLLIN) == 0) sleep_ms(HOST_AWAY_MS);
      continue;
    }
    if (count == 0 && stream->port) sleep_ms(HOST_AWAY_MS);
    if (count == 0) return READ_CLOSED;
    if (count < 0) exit_now(EXIT_STREAM_FAILED);
    at += count;
    length -= (size_t)count;
  }
  return READ_OK;
}

enum read_outcome stream_skip(const struct stream *stream, size_t length) {
  unsigned char scratch[4096];
  while (length > 0) {
    size_t part = length < sizeof scratch ? length : sizeof scratch;
    if (stream_read(stream, scratch, part) == READ_CLOSED) return READ_CLOSED;
    length -= part;
  }
  return READ_OK;
}

bool stream_send(const struct stream *stream, void *frame, uint32_t id, uint16_t type, uint16_t flags, uint32_t length) {
  struct frame_header *header = frame;
  *header = (struct frame_header){PROTOCOL_MAGIC, length, id, type, flags};
  return write_all(stream->out, frame, HEADER_ROOM + length);
}

bool send_error(const struct stream *stream, uint32_t id, enum error_code code, const char *text) {
  struct {
    struct frame_header header;
    uint32_t code;
    char text[300];
  } frame;
  uint32_t length = 0;
  frame.code = code;
  while (text[length] != 0 && length < sizeof frame.text) {
    frame.text[length] = text[length];
    length++;
  }
  return stream_send(stream, &frame, id, FRAME_ERROR, 0, sizeof frame.code + length);
}

bool send_done(const struct stream *stream, uint32_t id, uint32_t error, enum done_stage stage) {
  struct {
    struct frame_header header;
    struct done done;
  } frame;
  frame.done = (struct done){error, stage};
  return stream_send(stream, &frame, id, FRAME_DONE, 0, sizeof frame.done);
}
