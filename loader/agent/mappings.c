/* What a session mapped, so that nothing of it outlives the session: a mapping holds a map or perf event even without its descriptor. */
#include "requests.h"

/* More than this many at a time are not remembered: a perf buffer needs one for each CPU. */
#define MOST_MAPPINGS 8192

struct mapping {
  unsigned long address;
  unsigned long length;
};

static struct mapping mappings[MOST_MAPPINGS];
static uint32_t count;

void note_mapping(long number, const long *args, long value) {
  if (number == SYS_mmap && count < MOST_MAPPINGS) {
    mappings[count++] = (struct mapping){(unsigned long)value, (unsigned long)args[1]};
  } else if (number == SYS_munmap) {
    for (uint32_t i = 0; i < count; i++)
      if (mappings[i].address == (unsigned long)args[0]) mappings[i--] = mappings[--count];
  }
}

void drop_mappings(void) {
  while (count > 0) {
    count--;
    CALL2(SYS_munmap, mappings[count].address, mappings[count].length);
  }
}
