/* The agent's protocol as C: PROTOCOL.md describes it, protocol.ts is its other half. All integers little-endian. */
#pragma once
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire structs below are read in place, which needs a little-endian machine"
#endif

#define PROTOCOL_MAGIC 0x4d59534bu /* "KSYM" */
#define PROTOCOL_VERSION 2u
#define MAX_FRAME (64u << 20) /* bytes of payload */

enum frame_type {
  FRAME_HELLO = 1,
  FRAME_SYSCALL = 2,
  FRAME_READ_FILE = 3,
  FRAME_EXECUTE = 4,
  FRAME_POWER_OFF = 5,
  FRAME_GOODBYE = 6,
  FRAME_INPUT = 7,
  FRAME_CONSUME = 8,
  FRAME_PRODUCE = 9,

  FRAME_WELCOME = 0x8001,
  FRAME_SYSCALL_RESULT = 0x8002,
  FRAME_DATA = 0x8003,
  FRAME_OUTPUT = 0x8004,
  FRAME_EXIT = 0x8005,
  FRAME_DONE = 0x8006,
  FRAME_ERROR = 0x8007,
  FRAME_CONSUMED = 0x8008,
};

enum frame_flag { FLAG_MORE = 1, FLAG_STDERR = 2 };

enum error_code {
  ERROR_BAD_MAGIC = 1,
  ERROR_FRAME_TOO_LONG = 2,
  ERROR_VERSION = 3,
  ERROR_HELLO_REQUIRED = 4,
  ERROR_UNKNOWN_TYPE = 5,
  ERROR_MALFORMED = 6,
  ERROR_BUFFER_INDEX = 7,
  ERROR_POINTER = 8,
  ERROR_STRING = 9,
  ERROR_NO_MEMORY = 10,
  ERROR_REFUSED = 11,
};

/* Where a request stopped, beside the errno of a DONE frame. */
enum done_stage {
  STAGE_END = 0,
  STAGE_LIMIT = 1,
  STAGE_OPEN = 2,
  STAGE_READ = 3,
  STAGE_START = 4,
  STAGE_CHDIR = 5,
  STAGE_EXEC = 6,
};

struct frame_header {
  uint32_t magic;
  uint32_t length;
  uint32_t id;
  uint16_t type;
  uint16_t flags;
};

enum buffer_direction { BUFFER_IN = 1, BUFFER_OUT = 2, BUFFER_INOUT = 3 };
#define BUFFER_ALIGNMENT 16u
#define SYSCALL_ARGUMENTS 6u

struct syscall_request {
  uint32_t number;
  uint32_t buffer_count;
  uint32_t pointer_count;
  uint32_t buffer_arguments; /* bit i set: args[i] is a buffer's index */
  uint64_t args[SYSCALL_ARGUMENTS];
};

struct syscall_buffer {
  uint32_t length;
  uint32_t direction;
};

struct syscall_pointer {
  uint32_t buffer;
  uint32_t offset;
  uint32_t target;
  uint32_t target_offset;
};

struct syscall_result {
  int64_t value;
  uint32_t error;
  uint32_t reserved;
};

struct read_file_request {
  uint64_t max_bytes; /* the path follows */
};

enum execute_flag { EXECUTE_ENVIRONMENT = 1, EXECUTE_DIRECTORY = 2, EXECUTE_MORE_INPUT = 4 };
#define MAX_INPUT (64u << 10) /* bytes in an INPUT frame */

struct execute_request {
  uint32_t timeout_ms; /* 0: none */
  uint32_t flags;
  uint32_t argument_count;
  uint32_t environment_count;
  uint32_t string_bytes;
  uint32_t input_bytes;
};

struct execute_exit {
  uint32_t signalled; /* 1: `value` is a signal, 0: an exit code */
  uint32_t value;
  uint32_t timed_out;
  uint32_t reserved;
};

enum ring_kind { RING_BPF = 0, RING_PERF = 1 };

/* Addresses in the agent's memory. */
struct ring {
  uint64_t consumer; /* of the position that the reader moves on */
  uint64_t producer; /* of the position that the writer moves on */
  uint64_t data;
  uint64_t size; /* of the data, in bytes: a power of two */
};

struct consume_request {
  uint32_t kind;
  uint32_t limit; /* bytes of records in the answer */
  struct ring ring;
};

struct consumed {
  uint64_t position; /* of the consumer afterwards */
  uint32_t needed;   /* bytes of the next record if that is longer than the limit and nothing was taken, else 0 */
  uint32_t reserved; /* the records follow */
};

struct produce_request {
  struct ring ring; /* the records follow */
};

struct welcome {
  uint32_t version;
  uint32_t page_size;
  uint32_t cpus;
  uint32_t max_frame; /* machine and release follow, each ended by a zero byte */
};

struct done {
  uint32_t error;
  uint32_t stage;
};
