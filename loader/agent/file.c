/* READ_FILE: a whole file in one trip. Files of /proc and /sys say size 0, so it reads to the end, whatever the size. */
#include "requests.h"

/* Reads are gathered into frames of this size: a trip through an emulated virtio-serial port is dear. */
#define CHUNK (1u << 20)

static bool send_file(const struct stream *stream, uint32_t id, int fd, uint64_t limit, unsigned char *frame) {
  for (;;) {
    uint32_t filled = 0;
    uint32_t room = limit < CHUNK ? (uint32_t)limit : CHUNK;
    long count = 1;
    while (filled < room && count > 0) {
      count = read_some(fd, frame + HEADER_ROOM + filled, room - filled);
      if (count > 0) filled += (uint32_t)count;
    }
    if (filled > 0 && !stream_send(stream, frame, id, FRAME_DATA, FLAG_MORE, filled)) return false;
    limit -= filled;
    /* A pipe or log that has no more for now has ended, as far as one trip is concerned. */
    if (count == 0 || count == -EAGAIN) return send_done(stream, id, 0, STAGE_END);
    if (count < 0) return send_done(stream, id, (uint32_t)-count, STAGE_READ);
    if (limit == 0) return send_done(stream, id, 0, STAGE_LIMIT);
  }
}

bool answer_read_file(const struct stream *stream, const struct request *request) {
  const struct read_file_request *wanted = (const void *)request->payload;
  if (request->length < sizeof *wanted + 2)
    return send_error(stream, request->id, ERROR_MALFORMED, "READ_FILE: the payload has no path");
  const char *path = (const char *)(request->payload + sizeof *wanted);
  uint32_t last = request->length - (uint32_t)sizeof *wanted - 1;
  for (uint32_t i = 0; i <= last; i++)
    if ((path[i] == 0) != (i == last))
      return send_error(stream, request->id, ERROR_STRING, "READ_FILE: the path must end with its only zero byte");

  unsigned char *frame = map_memory(HEADER_ROOM + CHUNK);
  if (frame == NULL) return send_error(stream, request->id, ERROR_NO_MEMORY, "READ_FILE: no memory for a chunk");
  long fd = CALL4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  bool sent = fd < 0 ? send_done(stream, request->id, (uint32_t)-fd, STAGE_OPEN)
                     : send_file(stream, request->id, (int)fd, wanted->max_bytes, frame);
  if (fd >= 0) close_fd((int)fd);
  unmap_memory(frame, HEADER_ROOM + CHUNK);
  return sent;
}
