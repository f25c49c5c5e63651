/* SYSCALL: lays the buffers out in fresh memory, joins their pointers, makes the call, sends back what came out. */
#include "requests.h"

/* Sum of the buffers' lengths, so that layout and answer both stay below the longest frame. */
#define MAX_BUFFER_BYTES (MAX_FRAME - (1u << 20))
#define MAX_BUFFERS 4096u

struct layout {
  const struct syscall_request *call;
  const struct syscall_buffer *buffers;
  const struct syscall_pointer *pointers;
  const unsigned char *input; /* the bytes of `in` and `inout` buffers, one after another */
};

struct refusal {
  enum error_code code;
  const char *text; /* NULL: nothing to refuse */
};
#define ACCEPTED ((struct refusal){0, NULL})

static uint64_t aligned(uint64_t length) { return (length + BUFFER_ALIGNMENT - 1) & ~(uint64_t)(BUFFER_ALIGNMENT - 1); }

static struct refusal refuse(enum error_code code, const char *text) { return (struct refusal){code, text}; }

/* Finds the parts of the payload. The counts must use it up to the last byte. */
static struct refusal divide(const struct request *request, struct layout *layout) {
  if (request->length < sizeof(struct syscall_request))
    return refuse(ERROR_MALFORMED, "SYSCALL: the payload is shorter than its fixed part");
  layout->call = (const void *)request->payload;
  uint64_t buffers = layout->call->buffer_count;
  uint64_t pointers = layout->call->pointer_count;
  if (buffers > MAX_BUFFERS) return refuse(ERROR_MALFORMED, "SYSCALL: more than 4096 buffers");
  uint64_t tables = sizeof(struct syscall_request) + buffers * sizeof(struct syscall_buffer) +
                    pointers * sizeof(struct syscall_pointer);
  if (tables > request->length)
    return refuse(ERROR_MALFORMED, "SYSCALL: its counts of buffers and pointers do not fit into the payload");
  layout->buffers = (const void *)(request->payload + sizeof(struct syscall_request));
  layout->pointers = (const void *)(layout->buffers + buffers);
  layout->input = request->payload + tables;

  uint64_t input = 0, total = 0;
  for (uint64_t i = 0; i < buffers; i++) {
    const struct syscall_buffer *buffer = &layout->buffers[i];
    if (buffer->direction < BUFFER_IN || buffer->direction > BUFFER_INOUT)
      return refuse(ERROR_MALFORMED, "SYSCALL: a buffer's direction is not in, out or inout");
    if ((buffer->direction & BUFFER_IN) != 0) input += buffer->length;
    total += aligned(buffer->length);
  }
  if (total > MAX_BUFFER_BYTES) return refuse(ERROR_MALFORMED, "SYSCALL: the buffers together exceed the longest frame");
  if (tables + input != request->length)
    return refuse(ERROR_MALFORMED, "SYSCALL: the buffers' lengths do not add up to the payload's length");
  return ACCEPTED;
}

static struct refusal check_references(const struct layout *layout) {
  const struct syscall_request *call = layout->call;
  if (call->buffer_arguments >> SYSCALL_ARGUMENTS != 0)
    return refuse(ERROR_MALFORMED, "SYSCALL: the mask of buffer arguments names more than six arguments");
  for (uint32_t i = 0; i < SYSCALL_ARGUMENTS; i++)
    if ((call->buffer_arguments >> i & 1) != 0 && call->args[i] >= call->buffer_count)
      return refuse(ERROR_BUFFER_INDEX, "SYSCALL: an argument names a buffer that does not exist");
  for (uint32_t i = 0; i < call->pointer_count; i++) {
    const struct syscall_pointer *pointer = &layout->pointers[i];
    if (pointer->buffer >= call->buffer_count || pointer->target >= call->buffer_count)
      return refuse(ERROR_BUFFER_INDEX, "SYSCALL: a pointer names a buffer that does not exist");
    if ((uint64_t)pointer->offset + sizeof(uint64_t) > layout->buffers[pointer->buffer].length)
      return refuse(ERROR_POINTER, "SYSCALL: a pointer's place lies outside its buffer");
    if (pointer->target_offset > layout->buffers[pointer->target].length)
      return refuse(ERROR_POINTER, "SYSCALL: a pointer points past the end of its target");
  }
  return ACCEPTED;
}

/* Assigns each buffer its place in `memory`: those that come back first, so that the answer is one run of bytes. */
static uint64_t place_buffers(const struct layout *layout, unsigned char *memory, unsigned char **places) {
  uint64_t at = HEADER_ROOM + sizeof(struct syscall_result);
  for (uint32_t i = 0; i < layout->call->buffer_count; i++)
    if ((layout->buffers[i].direction & BUFFER_OUT) != 0) {
      places[i] = memory + at;
      at += aligned(layout->buffers[i].length);
    }
  uint64_t answer = at;
  for (uint32_t i = 0; i < layout->call->buffer_count; i++)
    if ((layout->buffers[i].direction & BUFFER_OUT) == 0) {
      places[i] = memory + at;
      at += aligned(layout->buffers[i].length);
    }
  return answer - HEADER_ROOM;
}

static void fill_buffers(const struct layout *layout, unsigned char **places) {
  const unsigned char *input = layout->input;
  for (uint32_t i = 0; i < layout->call->buffer_count; i++)
    if ((layout->buffers[i].direction & BUFFER_IN) != 0) {
      copy_bytes(places[i], input, layout->buffers[i].length);
      input += layout->buffers[i].length;
    }
  for (uint32_t i = 0; i < layout->call->pointer_count; i++) {
    const struct syscall_pointer *pointer = &layout->pointers[i];
    uint64_t address = (uint64_t)(places[pointer->target] + pointer->target_offset);
    copy_bytes(places[pointer->buffer] + pointer->offset, &address, sizeof address);
  }
}

bool answer_syscall(const struct stream *stream, const struct request *request) {
  struct layout layout;
  struct refusal refusal = divide(request, &layout);
  if (refusal.text == NULL) refusal = check_references(&layout);
  if (refusal.text != NULL) return send_error(stream, request->id, refusal.code, refusal.text);

  const struct syscall_request *call = layout.call;
  uint64_t size = HEADER_ROOM + sizeof(struct syscall_result) + BUFFER_ALIGNMENT;
  for (uint32_t i = 0; i < call->buffer_count; i++) size += aligned(layout.buffers[i].length);
  unsigned char *memory = map_memory(size);
  if (memory == NULL) return send_error(stream, request->id, ERROR_NO_MEMORY, "SYSCALL: no memory for its buffers");

  unsigned char *places[MAX_BUFFERS];
  uint64_t answer = place_buffers(&layout, memory, places);
  fill_buffers(&layout, places);

  long args[SYSCALL_ARGUMENTS];
  for (uint32_t i = 0; i < SYSCALL_ARGUMENTS; i++)
    args[i] = (call->buffer_arguments >> i & 1) != 0 ? (long)places[call->args[i]] : (long)call->args[i];
  long value = system_call((long)call->number, args[0], args[1], args[2], args[3], args[4], args[5]);

  bool failed = value < 0 && value > -4096;
  if (!failed) note_mapping((long)call->number, args, value);
  struct syscall_result *result = (void *)(memory + HEADER_ROOM);
  *result = (struct syscall_result){failed ? -1 : value, failed ? (uint32_t)-value : 0, 0};
  bool sent = stream_send(stream, memory, request->id, FRAME_SYSCALL_RESULT, 0, (uint32_t)answer);
  unmap_memory(memory, size);
  return sent;
}
