#define _GNU_SOURCE
#include "json.h"

#include <stdio.h>
#include <string.h>

/* The kernel's own (include/linux/errno.h): the C library does not know it, and test runs give it. */
#define KERNEL_ENOTSUPP 524

static bool first = true;

static void begin(const char *key)
{
	if (!first)
		putchar(',');
	first = false;
	if (key) {
		first = true;
		json_text(NULL, key);
		putchar(':');
	}
}

void json_open(const char *key, char bracket)
{
	begin(key);
	putchar(bracket);
	first = true;
}

void json_close(char bracket)
{
	putchar(bracket);
	first = false;
}

/* How many of `left` bytes are one well-formed character (RFC 3629, section 4); 0 if they begin none. */
static size_t character(const unsigned char *at, size_t left)
{
	unsigned char lowest = 0x80, highest = 0xbf;
	size_t length;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	/* Longer forms than needed, surrogates, and what is beyond U+10FFFF. */
	if (at[0] == 0xe0)
		lowest = 0xa0;
	else if (at[0] == 0xed)
		highest = 0x9f;
	else if (at[0] == 0xf0)
		lowest = 0x90;
	else if (at[0] == 0xf4)
		highest = 0x8f;
	if (at[1] < lowest || at[1] > highest)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

void json_text_of(const char *key, const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + length;

	begin(key);
	putchar('"');
	while (at < end) {
		size_t size = character(at, end - at);

		if (size == 0) {
			fputs("\\ufffd", stdout);
			size = 1;
		} else if (*at == '"' || *at == '\\') {
			printf("\\%c", *at);
		} else if (*at == '\n') {
			fputs("\\n", stdout);
		} else if (*at < 0x20 || *at == 0x7f) {
			printf("\\u%04x", *at);
		} else {
			fwrite(at, 1, size, stdout);
		}
		at += size;
	}
	putchar('"');
	first = false;
}

void json_text(const char *key, const char *text)
{
	if (text)
		json_text_of(key, text, strlen(text));
	else
		json_null(key);
}

void json_number(const char *key, unsigned long long number)
{
	begin(key);
	printf("%llu", number);
}

void json_bool(const char *key, bool value)
{
	begin(key);
	fputs(value ? "true" : "false", stdout);
}

void json_null(const char *key)
{
	begin(key);
	fputs("null", stdout);
}

void json_hex(const char *key, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	begin(key);
	putchar('"');
	for (size_t i = 0; i < length; i++)
		printf("%02x", at[i]);
	putchar('"');
}

void json_errno(const char *key, int error)
{
	json_text(key, error == KERNEL_ENOTSUPP ? "ENOTSUPP" : error > 0 ? strerrorname_np(error) : NULL);
}
