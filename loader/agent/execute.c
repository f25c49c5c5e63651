/* EXECUTE: runs a program in a process group of its own, passes its output on, and says how it ended. */
#include "requests.h"

#define OUTPUT_CHUNK (64u << 10)
#define CHILD_STATUS_FD 3
#define MAX_REST_CHUNKS 16 /* a pipe holds at most 1 MiB without privileges */

/* What the program is still to be fed. */
struct input {
  const unsigned char *bytes;
  uint32_t left;
  bool more;              /* INPUT frames follow */
  unsigned char *storage; /* where they are read to */
};

struct plan {
  const struct execute_request *request;
  char **argv;
  char **environment;
  const char *directory; /* NULL: stay here */
  struct input input;
};

enum pipe_end { READ_END, WRITE_END };
enum pipe_name { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERROR, PIPE_STATUS, PIPES };

struct child {
  long pid;
  int pipes[PIPES][2]; /* -1 once closed */
  int child_signals;
  struct input input;
  bool ended;
  int wait_status;
  bool timed_out;
};

struct start_failure {
  uint32_t error;
  uint32_t stage;
};

static void close_end(int *fd) {
  if (*fd >= 0) close_fd(*fd);
  *fd = -1;
}

static long open_pipes(struct child *child) {
  for (int i = 0; i < PIPES; i++) child->pipes[i][READ_END] = child->pipes[i][WRITE_END] = -1;
  for (int i = 0; i < PIPES; i++) {
    long result = CALL2(SYS_pipe2, child->pipes[i], O_CLOEXEC);
    if (result < 0) return result;
  }
  uint64_t mask = 1ull << (SIGCHLD - 1);
  return CALL4(SYS_signalfd4, -1, &mask, sizeof mask, O_CLOEXEC | O_NONBLOCK);
}

/* In the child: what the agent changed for itself is undone, and no descriptor but the three standard ones survives. */
static _Noreturn void become(const struct plan *plan, struct child *child) {
  struct {
    uint64_t handler, flags, restorer, mask;
  } standard = {0, 0, 0, 0};
  uint64_t no_signals = 0;
  CALL2(SYS_setpgid, 0, 0);
  CALL4(SYS_rt_sigaction, SIGPIPE, &standard, 0, sizeof no_signals);
  CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, 0, sizeof no_signals);
  CALL3(SYS_dup3, child->pipes[PIPE_INPUT][READ_END], 0, 0);
  CALL3(SYS_dup3, child->pipes[PIPE_OUTPUT][WRITE_END], 1, 0);
  CALL3(SYS_dup3, child->pipes[PIPE_ERROR][WRITE_END], 2, 0);
  CALL3(SYS_dup3, child->pipes[PIPE_STATUS][WRITE_END], CHILD_STATUS_FD, O_CLOEXEC);
  close_from(CHILD_STATUS_FD + 1, -1);

  struct start_failure failure = {0, STAGE_CHDIR};
  long result = plan->directory == NULL ? 0 : CALL1(SYS_chdir, plan->directory);
  if (result == 0) {
    failure.stage = STAGE_EXEC;
    result = CALL3(SYS_execve, plan->argv[0], plan->argv, plan->environment);
  }
  failure.error = (uint32_t)-result;
  write_some(CHILD_STATUS_FD, &failure, sizeof failure);
  exit_now(127);
}

/* Starts the child and waits until its exec has worked, or says why it has not. */
static struct start_failure start(const struct plan *plan, struct child *child) {
  child->child_signals = -1;
  long result = open_pipes(child);
  if (result < 0) return (struct start_failure){(uint32_t)-result, STAGE_START};
  child->child_signals = (int)result;
  child->pid = CALL1(SYS_clone, SIGCHLD); /* without a stack of its own and without sharing: a fork */
  if (child->pid < 0) return (struct start_failure){(uint32_t)-child->pid, STAGE_START};
  if (child->pid == 0) become(plan, child);
  CALL2(SYS_setpgid, child->pid, child->pid);
  close_end(&child->pipes[PIPE_INPUT][READ_END]);
  close_end(&child->pipes[PIPE_OUTPUT][WRITE_END]);
  close_end(&child->pipes[PIPE_ERROR][WRITE_END]);
  close_end(&child->pipes[PIPE_STATUS][WRITE_END]);
  struct start_failure failure = {0, 0};
  long count = read_some(child->pipes[PIPE_STATUS][READ_END], &failure, sizeof failure);
  if (count != (long)sizeof failure) return (struct start_failure){0, 0};
  CALL4(SYS_wait4, child->pid, 0, 0, 0);
  return failure;
}

/* Reaps whatever has ended: as process 1 of a VM the agent also inherits strangers. */
static void reap(struct child *child) {
  unsigned char drained[128];
  int status;
  long pid;
  while (read_some(child->child_signals, drained, sizeof drained) > 0) {
  }
  while ((pid = CALL4(SYS_wait4, -1, &status, WNOHANG, 0)) > 0)
    if (pid == child->pid) {
      child->ended = true;
      child->wait_status = status;
    }
}

/* Passes on what can be read now, one frame at most. False: the other side is gone. */
static bool pass_output(const struct stream *stream, uint32_t id, int *fd, uint16_t flags, unsigned char *frame) {
  long count = read_some(*fd, frame + HEADER_ROOM, OUTPUT_CHUNK);
  if (count > 0) return stream_send(stream, frame, id, FRAME_OUTPUT, flags, (uint32_t)count);
  if (count != -EAGAIN) close_end(fd);
  return true;
}

static void feed_input(struct input *input, int *fd) {
  if (*fd >= 0 && input->left > 0) {
    long count = write_some(*fd, input->bytes, input->left);
    if (count > 0) {
      input->bytes += count;
      input->left -= (uint32_t)count;
    }
    if (count < 0 && count != -EAGAIN) close_end(fd); /* it reads no further */
  }
  if (*fd < 0) input->left = 0;
  if (input->left == 0 && !input->more) close_end(fd);
}

/* Takes the next frame, which must be INPUT. False: the other side is gone. */
static bool take_input(const struct stream *stream, uint32_t id, struct input *input) {
  struct frame_header header;
  if (stream_read(stream, &header, sizeof header) == READ_CLOSED) return false;
  if (header.magic != PROTOCOL_MAGIC) exit_now(EXIT_FRAMING_LOST);
  if (header.type != FRAME_INPUT || header.id != id || header.flags != 0 || header.length > MAX_INPUT) {
    if (stream_skip(stream, header.length) == READ_CLOSED) return false;
    return send_error(stream, header.id, ERROR_MALFORMED, "only INPUT frames of 64 KiB may follow while a program takes input");
  }
  if (stream_read(stream, input->storage, header.length) == READ_CLOSED) return false;
  input->bytes = input->storage;
  input->left = header.length;
  input->more = header.length > 0;
  return true;
}

static bool attend(const struct stream *stream, uint32_t id, const struct plan *plan, struct child *child,
                   unsigned char *frame) {
  int *stdin_pipe = &child->pipes[PIPE_INPUT][WRITE_END];
  int *output = &child->pipes[PIPE_OUTPUT][READ_END];
  int *error = &child->pipes[PIPE_ERROR][READ_END];
  int64_t deadline = plan->request->timeout_ms == 0 ? 0 : monotonic_ms() + plan->request->timeout_ms;
  CALL3(SYS_fcntl, *stdin_pipe, F_SETFL, O_NONBLOCK);
  CALL3(SYS_fcntl, *output, F_SETFL, O_NONBLOCK);
  CALL3(SYS_fcntl, *error, F_SETFL, O_NONBLOCK);
  feed_input(&child->input, stdin_pipe);

  while (!child->ended) {
    struct poll_entry entries[] = {
        {*output, POLLIN, 0},
        {*error, POLLIN, 0},
        {child->input.left > 0 ? *stdin_pipe : -1, POLLOUT, 0},
        {child->child_signals, POLLIN, 0},
        {stream->out, 0, 0},
        {child->input.left == 0 && child->input.more ? stream->in : -1, POLLIN, 0},
    };
    struct time_spec wait = {0, 0};
    if (deadline != 0) {
      int64_t left = deadline - monotonic_ms();
      if (left <= 0) {
        CALL2(SYS_kill, -child->pid, SIGKILL);
        child->timed_out = true;
        deadline = 0;
      } else {
        wait = (struct time_spec){left / 1000, left % 1000 * 1000000};
      }
    }
    CALL4(SYS_ppoll, entries, sizeof entries / sizeof *entries, deadline == 0 ? NULL : &wait, 0);
    if ((entries[4].revents & (POLLERR | POLLHUP)) != 0) return false;
    if (entries[0].revents != 0 && !pass_output(stream, id, output, 0, frame)) return false;
    if (entries[1].revents != 0 && !pass_output(stream, id, error, FLAG_STDERR, frame)) return false;
    if (entries[2].revents != 0) feed_input(&child->input, stdin_pipe);
    if (entries[3].revents != 0) reap(child);
    if (entries[5].revents != 0) {
      if (!take_input(stream, id, &child->input)) return false;
      feed_input(&child->input, stdin_pipe);
    }
  }
  /* What the program wrote before it ended is in the pipes; a process it left behind may hold them open, or fill them, for ever. */
  for (int i = PIPE_OUTPUT; i <= PIPE_ERROR; i++) {
    int *fd = &child->pipes[i][READ_END];
    struct poll_entry entry = {*fd, POLLIN, 0};
    struct time_spec now = {0, 0};
    for (int chunk = 0; chunk < MAX_REST_CHUNKS && *fd >= 0 && CALL4(SYS_ppoll, &entry, 1, &now, 0) == 1; chunk++)
      if (!pass_output(stream, id, fd, i == PIPE_ERROR ? FLAG_STDERR : 0, frame)) return false;
  }
  return true;
}

static bool send_exit(const struct stream *stream, uint32_t id, const struct child *child) {
  struct {
    struct frame_header header;
    struct execute_exit exit;
  } frame;
  uint32_t signal = (uint32_t)child->wait_status & 0x7f;
  frame.exit = (struct execute_exit){
      signal != 0,
      signal != 0 ? signal : (uint32_t)child->wait_status >> 8 & 0xff,
      child->timed_out,
      0,
  };
  return stream_send(stream, &frame, id, FRAME_EXIT, 0, sizeof frame.exit);
}

static bool run(const struct stream *stream, uint32_t id, const struct plan *plan, unsigned char *frame) {
  struct child child = {.input = plan->input};
  struct start_failure failure = start(plan, &child);
  bool sent;
  if (failure.error != 0) {
    sent = send_done(stream, id, failure.error, (enum done_stage)failure.stage);
  } else {
    sent = attend(stream, id, plan, &child, frame);
    if (!sent && !child.ended) {
      CALL2(SYS_kill, -child.pid, SIGKILL);
      CALL4(SYS_wait4, child.pid, 0, 0, 0);
    }
    sent = sent && send_exit(stream, id, &child);
  }
  for (int i = 0; i < PIPES; i++)
    for (int end = READ_END; end <= WRITE_END; end++) close_end(&child.pipes[i][end]);
  close_end(&child.child_signals);
  return sent;
}

/* The strings lie one after another, each ended by a zero byte: arguments, environment, directory. */
static bool divide_strings(const struct execute_request *wanted, char *strings, char **list, const char **directory) {
  uint32_t at = 0, slot = 0;
  uint64_t total = (uint64_t)wanted->argument_count + wanted->environment_count;
  bool has_directory = (wanted->flags & EXECUTE_DIRECTORY) != 0;
  for (uint64_t i = 0; i < total + has_directory; i++) {
    char *string = strings + at;
    while (at < wanted->string_bytes && strings[at] != 0) at++;
    if (at == wanted->string_bytes) return false;
    at++;
    if (i == wanted->argument_count) list[slot++] = NULL;
    if (i == total) *directory = string;
    else list[slot++] = string;
  }
  if (total == wanted->argument_count && !has_directory) list[slot++] = NULL;
  list[slot] = NULL;
  return at == wanted->string_bytes;
}

bool answer_execute(const struct stream *stream, const struct request *request, char **environment) {
  const struct execute_request *wanted = (const void *)request->payload;
  if (request->length < sizeof *wanted ||
      (uint64_t)sizeof *wanted + wanted->string_bytes + wanted->input_bytes != request->length)
    return send_error(stream, request->id, ERROR_MALFORMED, "EXECUTE: its lengths do not add up to the payload's length");
  if (wanted->argument_count == 0 || (wanted->flags & ~(uint32_t)(EXECUTE_ENVIRONMENT | EXECUTE_DIRECTORY | EXECUTE_MORE_INPUT)) != 0 ||
      (uint64_t)wanted->argument_count + wanted->environment_count > wanted->string_bytes)
    return send_error(stream, request->id, ERROR_MALFORMED, "EXECUTE: impossible counts or flags");

  uint64_t list_bytes = ((uint64_t)wanted->argument_count + wanted->environment_count + 3) * sizeof(char *);
  char **list = map_memory(list_bytes);
  unsigned char *frame = map_memory(HEADER_ROOM + OUTPUT_CHUNK + MAX_INPUT);
  bool sent;
  if (list == NULL || frame == NULL) {
    sent = send_error(stream, request->id, ERROR_NO_MEMORY, "EXECUTE: no memory for the arguments");
  } else {
    struct input input = {request->payload + sizeof *wanted + wanted->string_bytes, wanted->input_bytes,
                          (wanted->flags & EXECUTE_MORE_INPUT) != 0, frame + HEADER_ROOM + OUTPUT_CHUNK};
    struct plan plan = {wanted, list, environment, NULL, input};
    if ((wanted->flags & EXECUTE_ENVIRONMENT) != 0) plan.environment = list + wanted->argument_count + 1;
    if (divide_strings(wanted, (char *)request->payload + sizeof *wanted, list, &plan.directory))
      sent = run(stream, request->id, &plan, frame);
    else
      sent = send_error(stream, request->id, ERROR_STRING,
                        "EXECUTE: the strings do not end where their counts and lengths say");
  }
  if (list != NULL) unmap_memory(list, list_bytes);
  if (frame != NULL) unmap_memory(frame, HEADER_ROOM + OUTPUT_CHUNK + MAX_INPUT);
  return sent;
}
