/*
 * fscanf(3) of the C library reads /proc/kallsyms, 160,000 lines, for every object with a typeless ksym: half of what libbpf costs in an emulated
 * machine. All versions of libbpf read it with one format (libbpf_kallsyms_parse, earlier bpf_object__read_kallsyms_file, src/libbpf.c), so that
 * format has a reader of its own here, which the linker's --wrap puts in fscanf's place. It is no part of libbpf, and gives what fscanf gives.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KALLSYMS_LINE "%llx %c %499s%*[^\n]\n"
#define LONGEST_NAME 499

static int is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The first character that is no white space, or EOF. */
static int skip_space(FILE *stream)
{
	int c;

	do
		c = getc_unlocked(stream);
	while (is_space(c));
	return c;
}

/* How many of the three fields there were; EOF at the end of the file. A line that is not the kernel's ends the scan as it would with fscanf: short of three. */
static int scan_line(FILE *stream, unsigned long long *address, char *type, char *name)
{
	unsigned long long value = 0;
	int c = skip_space(stream), length = 0;

	if (c == EOF)
		return EOF;
	for (; digit(c) >= 0; c = getc_unlocked(stream), length++)
		value = value << 4 | digit(c);
	if (length == 0) {
		ungetc(c, stream);
		return 0;
	}
	*address = value;
	if (is_space(c))
		c = skip_space(stream);
	if (c == EOF)
		return 1;
	*type = c;
	c = skip_space(stream);
	if (c == EOF)
		return 2;
	for (length = 0; length < LONGEST_NAME && c != EOF && !is_space(c); c = getc_unlocked(stream))
		name[length++] = c;
	name[length] = '\0';
	while (c != EOF && c != '\n')
		c = getc_unlocked(stream);
	return 3;
}

static int scan(FILE *stream, const char *format, va_list arguments)
{
	unsigned long long *address;
	char *type;

	if (strcmp(format, KALLSYMS_LINE) != 0)
		return vfscanf(stream, format, arguments);
	address = va_arg(arguments, unsigned long long *);
	type = va_arg(arguments, char *);
	return scan_line(stream, address, type, va_arg(arguments, char *));
}

/* fscanf as programs ask for it that were compiled before and after version 2.38 of the C library. */
int __wrap___isoc99_fscanf(FILE *stream, const char *format, ...) __attribute__((alias("wrapped")));
int __wrap___isoc23_fscanf(FILE *stream, const char *format, ...) __attribute__((alias("wrapped")));

__attribute__((used)) static int wrapped(FILE *stream, const char *format, ...)
{
	va_list arguments;
	int fields;

	va_start(arguments, format);
	fields = scan(stream, format, arguments);
	va_end(arguments);
	return fields;
}
