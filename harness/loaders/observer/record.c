/* The record: a head, then records of a type, a length and so many bytes, little-endian; record.ts reads them. */
#include "observer.h"

#define RECORD_MAGIC 0x534f534bu /* "KSOS" */
#define RECORD_VERSION 1u
#define MAX_INSTRUCTION_BYTES (1u << 20)
#define MAX_LOG_BYTES (1u << 20)
#define MAX_RECORD_BYTES (16u << 20) /* of the whole file */
#define MAX_DESCRIPTORS 256u         /* MAX_KFUNC_BTFS, kernel/bpf/verifier.c */
#define ROOM_FOR_END 64u

enum record_type { RECORD_LOAD = 1, RECORD_MAP = 2, RECORD_BTF_LOAD = 3, RECORD_BTF_BY_ID = 4, RECORD_END = 5 };

struct record_head {
  uint32_t type;
  uint32_t length; /* of what follows */
};
struct record_load {
  int32_t result; /* a descriptor, or -errno */
  uint32_t program_type;
  uint32_t slots;             /* insn_cnt as it was given */
  uint32_t instruction_bytes; /* 0 if they were too many or could not be read */
  uint32_t descriptors;
  uint32_t log_bytes;
  uint32_t log_left; /* bytes before those that are recorded */
  char name[16];     /* then instructions, descriptors, log */
};
struct record_map {
  int32_t result;
  uint32_t type;
  char name[16];
};
struct record_btf {
  int32_t result;
  uint32_t id; /* 0 for BPF_BTF_LOAD */
};
struct record_end {
  uint32_t left;
  uint32_t wait_status;
};

/* union bpf_attr of BPF_PROG_LOAD up to fd_array, include/uapi/linux/bpf.h */
struct load_attributes {
  uint32_t program_type, slots;
  uint64_t instructions, license;
  uint32_t log_level, log_size;
  uint64_t log;
  uint32_t kernel_version, flags;
  char name[16];
  uint32_t interface, attach_type, btf_fd, function_info_size;
  uint64_t function_info;
  uint32_t function_count, line_info_size;
  uint64_t line_info;
  uint32_t line_count, attach_btf_id, attach_fd, core_count;
  uint64_t descriptors;
};
/* … and of BPF_MAP_CREATE up to map_name */
struct map_attributes {
  uint32_t type, key_size, value_size, entries, flags, inner, node;
  char name[16];
};
struct bpf_instruction {
  uint8_t opcode, registers;
  int16_t offset;
  int32_t immediate;
};
#define CALL_OPCODE 0x85
#define KFUNC_CALL 2 /* BPF_PSEUDO_KFUNC_CALL in the source register */

static int file = -1;
static uint32_t written;
static uint32_t left;
static unsigned char *buffer; /* of one record: what is written at once is there as a whole, or not at all */

static void write_all(const void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    long count = write_some(file, (const unsigned char *)bytes + done, length - done);
    if (count <= 0) give_up("the record cannot be written", NULL, count < 0 ? -count : EIO);
    done += (size_t)count;
  }
  written += (uint32_t)length;
}

void open_record(const char *path) {
  long result = CALL4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (result < 0) give_up("the record cannot be written:", path, -result);
  file = (int)result;
  buffer = map_memory(MAX_INSTRUCTION_BYTES + MAX_LOG_BYTES + (1u << 16));
  if (buffer == NULL) give_up("no memory", NULL, 0);
  uint32_t head[] = {RECORD_MAGIC, RECORD_VERSION};
  write_all(head, sizeof head);
}

/* Writes the record whose bytes after the head are in the buffer already. */
static void write_record(enum record_type type, size_t length) {
  struct record_head head = {type, (uint32_t)length};
  copy_bytes(buffer, &head, sizeof head);
  if (type != RECORD_END && written + sizeof head + length > MAX_RECORD_BYTES - ROOM_FOR_END) left++;
  else write_all(buffer, sizeof head + length);
}

/* Where a log ends: at its zero byte, at the buffer's end, or where nothing can be read. */
static uint32_t log_length(long pid, uint64_t log, uint32_t size) {
  static unsigned char part[1u << 14];
  uint32_t length = 0;
  while (length < size) {
    uint32_t wanted = size - length < sizeof part ? size - length : (uint32_t)sizeof part;
    size_t count = read_memory(pid, log + length, part, wanted);
    for (size_t i = 0; i < count; i++)
      if (part[i] == 0) return length + (uint32_t)i;
    length += (uint32_t)count;
    if (count < wanted) break;
  }
  return length;
}

/* How much of fd_array calls of kfuncs reach into: its length is not told to kernels before 6.14. */
static uint32_t descriptors_used(const unsigned char *instructions, uint32_t bytes) {
  uint32_t used = 0;
  for (uint32_t at = 0; at + sizeof(struct bpf_instruction) <= bytes; at += sizeof(struct bpf_instruction)) {
    struct bpf_instruction instruction;
    copy_bytes(&instruction, instructions + at, sizeof instruction);
    bool calls = instruction.opcode == CALL_OPCODE && instruction.registers >> 4 == KFUNC_CALL;
    if (calls && instruction.offset > 0 && (uint32_t)instruction.offset >= used) used = (uint32_t)instruction.offset + 1;
  }
  return used < MAX_DESCRIPTORS ? used : MAX_DESCRIPTORS;
}

static void record_load(long pid, const struct load_attributes *given, int64_t result) {
  struct record_load load = {.result = (int32_t)result, .program_type = given->program_type, .slots = given->slots};
  copy_bytes(load.name, given->name, sizeof load.name);
  unsigned char *const start = buffer + sizeof(struct record_head) + sizeof load;
  unsigned char *at = start;
  uint64_t wanted = (uint64_t)given->slots * sizeof(struct bpf_instruction);
  if (wanted <= MAX_INSTRUCTION_BYTES && read_memory(pid, given->instructions, at, wanted) == wanted)
    load.instruction_bytes = (uint32_t)wanted;
  at += load.instruction_bytes;

  uint32_t used = given->descriptors == 0 ? 0 : descriptors_used(start, load.instruction_bytes);
  if (read_memory(pid, given->descriptors, at, used * sizeof(int)) == used * sizeof(int)) load.descriptors = used;
  at += load.descriptors * sizeof(int);

  if (given->log_level != 0 && given->log != 0) {
    uint32_t length = log_length(pid, given->log, given->log_size);
    load.log_left = length > MAX_LOG_BYTES ? length - MAX_LOG_BYTES : 0; /* the refusal stands at the end */
    load.log_bytes = (uint32_t)read_memory(pid, given->log + load.log_left, at, length - load.log_left);
    at += load.log_bytes;
  }
  copy_bytes(buffer + sizeof(struct record_head), &load, sizeof load);
  write_record(RECORD_LOAD, (size_t)(at - buffer) - sizeof(struct record_head));
}

static void record_small(enum record_type type, const void *record, size_t length) {
  copy_bytes(buffer + sizeof(struct record_head), record, length);
  write_record(type, length);
}

void record_call(long pid, uint32_t command, uint64_t attributes, uint64_t size, int64_t result) {
  union {
    struct load_attributes load;
    struct map_attributes map;
    uint32_t id;
  } given;
  memset(&given, 0, sizeof given); /* a caller may know less of it: the kernel takes zeroes then as well */
  read_memory(pid, attributes, &given, size < sizeof given ? size : sizeof given);
  switch (command) {
    case BPF_PROG_LOAD:
      record_load(pid, &given.load, result);
      break;
    case BPF_MAP_CREATE: {
      struct record_map map = {.result = (int32_t)result, .type = given.map.type};
      copy_bytes(map.name, given.map.name, sizeof map.name);
      record_small(RECORD_MAP, &map, sizeof map);
      break;
    }
    case BPF_BTF_LOAD:
    case BPF_BTF_GET_FD_BY_ID: {
      bool by_id = command == BPF_BTF_GET_FD_BY_ID;
      struct record_btf btf = {(int32_t)result, by_id ? given.id : 0};
      record_small(by_id ? RECORD_BTF_BY_ID : RECORD_BTF_LOAD, &btf, sizeof btf);
      break;
    }
  }
}

void finish_record(int wait_status) {
  struct record_end end = {left, (uint32_t)wait_status};
  record_small(RECORD_END, &end, sizeof end);
}
