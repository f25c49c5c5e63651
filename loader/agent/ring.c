/* CONSUME and PRODUCE: ring buffers shared with the kernel, read and written in the order that sharing asks for. */
#include "requests.h"

#define RECORD_ALIGNMENT 8u
/* struct bpf_ringbuf_hdr, kernel/bpf/ringbuf.c: flags in the length's highest bits (uapi/linux/bpf.h, BPF_RINGBUF_*). */
#define BPF_HEADER 8u
#define BPF_BUSY (1u << 31)
#define BPF_DISCARDED (1u << 30)
#define LARGEST_LIMIT (MAX_FRAME - (1u << 20))
#define ENOSPC 28

static uint64_t load_position(uint64_t address) { return __atomic_load_n((const uint64_t *)address, __ATOMIC_ACQUIRE); }

static void store_position(uint64_t address, uint64_t position) {
  __atomic_store_n((uint64_t *)address, position, __ATOMIC_RELEASE);
}

static bool is_power_of_two(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

/* Bytes of the record at a position with its header; 0 while it is being written. What comes after this load sees the record whole. */
static uint64_t record_length(const struct consume_request *wanted, uint64_t position) {
  const uint32_t *header = (const uint32_t *)(wanted->ring.data + (position & (wanted->ring.size - 1)));
  if (wanted->kind == RING_PERF) return header[1] >> 16; /* struct perf_event_header: u32 type, u16 misc, u16 size */
  uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
  if ((length & BPF_BUSY) != 0) return 0;
  uint64_t whole = (uint64_t)(length & ~BPF_DISCARDED) + BPF_HEADER;
  return (whole + RECORD_ALIGNMENT - 1) & ~(uint64_t)(RECORD_ALIGNMENT - 1);
}

/* Copies between the ring and memory, around the ring's end. */
static void copy_ring(const struct ring *ring, uint64_t position, unsigned char *memory, uint64_t length, bool out) {
  uint64_t offset = position & (ring->size - 1);
  uint64_t first = length < ring->size - offset ? length : ring->size - offset;
  unsigned char *data = (unsigned char *)ring->data;
  if (out) {
    copy_bytes(memory, data + offset, first);
    copy_bytes(memory + first, data, length - first);
  } else {
    copy_bytes(data + offset, memory, first);
    copy_bytes(data, memory + first, length - first);
  }
}

bool answer_consume(const struct stream *stream, const struct request *request) {
  const struct consume_request *wanted = (const void *)request->payload;
  if (request->length != sizeof *wanted || wanted->kind > RING_PERF || wanted->limit > LARGEST_LIMIT ||
      !is_power_of_two(wanted->ring.size))
    return send_error(stream, request->id, ERROR_MALFORMED, "CONSUME: its length, kind, limit or size cannot be");
  uint64_t start = load_position(wanted->ring.consumer);
  uint64_t end = load_position(wanted->ring.producer);
  uint64_t taken = 0, needed = 0;
  while (start + taken < end) {
    uint64_t length = record_length(wanted, start + taken);
    if (length == 0 && wanted->kind == RING_BPF) break;
    if (length == 0 || length % RECORD_ALIGNMENT != 0 || length > end - start - taken)
      return send_error(stream, request->id, ERROR_MALFORMED, "CONSUME: a record's length cannot be");
    if (taken + length > wanted->limit) {
      if (taken == 0) needed = length;
      break;
    }
    taken += length;
  }

  uint64_t size = HEADER_ROOM + sizeof(struct consumed) + taken;
  unsigned char *frame = map_memory(size);
  if (frame == NULL) return send_error(stream, request->id, ERROR_NO_MEMORY, "CONSUME: no memory for the records");
  struct consumed *answer = (void *)(frame + HEADER_ROOM);
  *answer = (struct consumed){start + taken, needed > ~0u ? ~0u : (uint32_t)needed, 0};
  copy_ring(&wanted->ring, start, frame + HEADER_ROOM + sizeof *answer, taken, true);
  if (taken > 0) store_position(wanted->ring.consumer, start + taken);
  bool sent =
      stream_send(stream, frame, request->id, FRAME_CONSUMED, 0, (uint32_t)(sizeof(struct consumed) + taken));
  unmap_memory(frame, size);
  return sent;
}

bool answer_produce(const struct stream *stream, const struct request *request) {
  const struct produce_request *wanted = (const void *)request->payload;
  uint64_t length = request->length - sizeof *wanted;
  if (request->length < sizeof *wanted || length % RECORD_ALIGNMENT != 0 || !is_power_of_two(wanted->ring.size))
    return send_error(stream, request->id, ERROR_MALFORMED, "PRODUCE: its length or size cannot be");
  uint64_t position = load_position(wanted->ring.producer);
  uint64_t used = position - load_position(wanted->ring.consumer);
  if (length > wanted->ring.size - used) return send_done(stream, request->id, ENOSPC, STAGE_END);
  unsigned char *records = (unsigned char *)(uintptr_t)(request->payload + sizeof *wanted);
  copy_ring(&wanted->ring, position, records, length, false);
  store_position(wanted->ring.producer, position + length);
  return send_done(stream, request->id, 0, STAGE_END);
}
