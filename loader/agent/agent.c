/* ksym-agent: makes system calls for a loader that runs elsewhere. PROTOCOL.md says what it understands. */
#include "requests.h"

ENTRY_POINT;

#define PORT_OPTION "--port"
#define AUXV_PAGE_SIZE 6
#define FIRST_PRIVATE_FD 3

struct machine {
  uint32_t page_size;
  uint32_t cpus;
  char **environment;
};

/* What comes next after a request was answered. */
enum next { NEXT_REQUEST, NEXT_SESSION };

/* clang may call these for struct copies, libc or not. */
void *memcpy(void *to, const void *from, size_t length) {
  copy_bytes(to, from, length);
  return to;
}

void *memset(void *to, int value, size_t length) {
  for (volatile unsigned char *at = to; length > 0; length--) *at++ = (unsigned char)value;
  return to;
}

static uint32_t append_string(char *to, const char *from, uint32_t room) {
  uint32_t length = 0;
  for (; length + 1 < room && from[length] != 0; length++) to[length] = from[length];
  to[length] = 0;
  return length + 1;
}

static uint32_t append_number(char *to, uint32_t value) {
  char digits[10];
  uint32_t count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  for (uint32_t i = 0; i < count; i++) to[i] = digits[count - 1 - i];
  to[count] = 0;
  return count;
}

static bool refuse_version(const struct stream *stream, uint32_t id, uint32_t version) {
  char text[120];
  uint32_t at = append_string(text, "HELLO: this agent speaks protocol version ", sizeof text) - 1;
  at += append_number(text + at, PROTOCOL_VERSION);
  at += append_string(text + at, ", the host asks for version ", sizeof text - at) - 1;
  append_number(text + at, version);
  return send_error(stream, id, ERROR_VERSION, text);
}

static bool send_welcome(const struct stream *stream, uint32_t id, const struct machine *machine) {
  struct {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
  } names;
  struct {
    struct frame_header header;
    struct welcome welcome;
    char names[130];
  } frame;
  memset(&names, 0, sizeof names);
  CALL1(SYS_uname, &names);
  frame.welcome = (struct welcome){PROTOCOL_VERSION, machine->page_size, machine->cpus, MAX_FRAME};
  uint32_t length = append_string(frame.names, names.machine, 65);
  length += append_string(frame.names + length, names.release, 65);
  return stream_send(stream, &frame, id, FRAME_WELCOME, 0, sizeof frame.welcome + length);
}

/* A session owns every descriptor above the standard ones, but not the stream, and what it mapped. */
static void end_session(const struct stream *stream) {
  drop_mappings();
  close_from(FIRST_PRIVATE_FD, stream->port ? stream->in : -1);
}

static bool power_off(const struct stream *stream, uint32_t id) {
  if (!stream->port)
    return send_error(stream, id, ERROR_REFUSED, "POWER_OFF: this agent runs as a child process, not in a VM");
  CALL0(SYS_sync);
  send_done(stream, id, 0, STAGE_END);
  long result = CALL4(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc /* power off */, 0);
  return send_done(stream, id, (uint32_t)-result, STAGE_END);
}

static bool answer(const struct stream *stream, const struct machine *machine, uint16_t type,
                   const struct request *request, enum next *next) {
  switch (type) {
    case FRAME_SYSCALL:
      return answer_syscall(stream, request);
    case FRAME_READ_FILE:
      return answer_read_file(stream, request);
    case FRAME_EXECUTE:
      return answer_execute(stream, request, machine->environment);
    case FRAME_CONSUME:
      return answer_consume(stream, request);
    case FRAME_PRODUCE:
      return answer_produce(stream, request);
    case FRAME_INPUT: /* for a program that has ended meanwhile */
      return true;
    case FRAME_POWER_OFF:
      return power_off(stream, request->id);
    case FRAME_GOODBYE:
      *next = NEXT_SESSION;
      return send_done(stream, request->id, 0, STAGE_END);
    default:
      return send_error(stream, request->id, ERROR_UNKNOWN_TYPE, "no request has this type");
  }
}

static bool greet(const struct stream *stream, const struct machine *machine, const struct request *request,
                  bool *greeted) {
  if (request->length < sizeof(uint32_t))
    return send_error(stream, request->id, ERROR_MALFORMED, "HELLO: the payload has no version");
  uint32_t version = *(const uint32_t *)(const void *)request->payload;
  end_session(stream);
  *greeted = version == PROTOCOL_VERSION;
  return *greeted ? send_welcome(stream, request->id, machine) : refuse_version(stream, request->id, version);
}

/* Takes requests one after another until the other side ends the session. */
static void serve_session(const struct stream *stream, const struct machine *machine) {
  bool greeted = false;
  enum next next = NEXT_REQUEST;
  while (next == NEXT_REQUEST) {
    struct frame_header header;
    if (stream_read(stream, &header, sizeof header) == READ_CLOSED) return;
    if (header.magic != PROTOCOL_MAGIC) {
      send_error(stream, header.id, ERROR_BAD_MAGIC, "a frame does not begin with KSYM: the stream is lost");
      exit_now(EXIT_FRAMING_LOST);
    }
    if (header.length > MAX_FRAME) {
      send_error(stream, header.id, ERROR_FRAME_TOO_LONG, "a frame is longer than 64 MiB: the stream is lost");
      exit_now(EXIT_FRAMING_LOST);
    }
    /* One byte more than the payload, so that an empty one maps as well. */
    unsigned char *payload = map_memory(header.length + 1);
    struct request request = {header.id, header.length, payload};
    bool sent;
    if (payload == NULL) {
      if (stream_skip(stream, header.length) == READ_CLOSED) return;
      sent = send_error(stream, header.id, ERROR_NO_MEMORY, "no memory for the request");
    } else if (stream_read(stream, payload, header.length) == READ_CLOSED) {
      unmap_memory(payload, header.length + 1);
      return;
    } else if (header.flags != 0) {
      sent = send_error(stream, header.id, ERROR_MALFORMED, "a request's flags must be 0");
    } else if (header.type == FRAME_HELLO) {
      sent = greet(stream, machine, &request, &greeted);
    } else if (!greeted) {
      sent = send_error(stream, header.id, ERROR_HELLO_REQUIRED, "the first request must be HELLO");
    } else {
      sent = answer(stream, machine, header.type, &request, &next);
    }
    if (payload != NULL) unmap_memory(payload, header.length + 1);
    if (!sent) return;
  }
}

static void read_machine(struct machine *machine, char **environment) {
  unsigned char affinity[1024];
  long bytes = CALL3(SYS_sched_getaffinity, 0, sizeof affinity, affinity);
  machine->cpus = 0;
  for (long i = 0; i < bytes; i++)
    for (unsigned bits = affinity[i]; bits != 0; bits &= bits - 1) machine->cpus++;
  machine->environment = environment;
  machine->page_size = 4096;
  while (*environment != NULL) environment++;
  for (uint64_t *auxiliary = (uint64_t *)(environment + 1); auxiliary[0] != 0; auxiliary += 2)
    if (auxiliary[0] == AUXV_PAGE_SIZE) machine->page_size = (uint32_t)auxiliary[1];
}

/* A write to a closed stream shall be an error, not a death; ended children are asked for, not interrupted by. */
static void prepare_signals(void) {
  struct {
    uint64_t handler, flags, restorer, mask;
  } ignore = {1, 0, 0, 0};
  uint64_t child_ended = 1ull << (SIGCHLD - 1);
  CALL4(SYS_rt_sigaction, SIGPIPE, &ignore, 0, sizeof child_ended);
  CALL4(SYS_rt_sigprocmask, SIG_BLOCK, &child_ended, 0, sizeof child_ended);
}

static _Noreturn void fail(const char *text) {
  uint32_t length = 0;
  while (text[length] != 0) length++;
  write_some(2, text, length);
  exit_now(1);
}

/* Descriptors 0 to 2 must be taken: bpf(2) reads a descriptor 0 as "none" in several places. */
static void open_port(struct stream *stream, const char *path) {
  for (int fd = 0; fd < FIRST_PRIVATE_FD; fd++)
    if (CALL2(SYS_fcntl, fd, F_GETFD) < 0) CALL4(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  long opened = CALL4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOCTTY, 0);
  if (opened < 0) fail("ksym-agent: cannot open the port\n");
  long fd = CALL3(SYS_fcntl, opened, F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD);
  if (fd < 0) fail("ksym-agent: cannot duplicate the port's descriptor\n");
  close_fd((int)opened);
  *stream = (struct stream){(int)fd, (int)fd, true};
}

static bool same(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

__attribute__((used)) _Noreturn void agent_main(long *stack) {
  long argc = stack[0];
  char **argv = (char **)(stack + 1);
  struct stream stream = {0, 1, false};
  struct machine machine;
  if (argc == 3 && same(argv[1], PORT_OPTION)) open_port(&stream, argv[2]);
  else if (argc != 1) fail("usage: ksym-agent [--port FILE]\n");
  prepare_signals();
  read_machine(&machine, argv + argc + 1);
  do {
    serve_session(&stream, &machine);
    if (stream.port) end_session(&stream);
  } while (stream.port);
  exit_now(0);
}
