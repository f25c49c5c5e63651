// The least that can be run in a virtual machine: says that it runs, and sleeps. x86-64, without a C library.

static long system_call(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "memory");
	return result;
}

enum { WRITE = 1, PAUSE = 34 };

void _start(void)
{
	static const char line[] = "bare-init: runs\n";

	// The kernel has opened /dev/console for it.
	system_call(WRITE, 1, (long)line, sizeof(line) - 1);
	for (;;)
		system_call(PAUSE, 0, 0, 0);
}
