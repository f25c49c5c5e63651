/* Writes one JSON document to a stream, in order. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

/* `{` or `[`, and its end. `key` is null within a list and at the top. */
void json_open(const char *key, char bracket);
void json_close(char bracket);

/* Bytes that are not UTF-8 become U+FFFD: a verifier's log may hold any. A null `text` becomes null. */
void json_text(const char *key, const char *text);
void json_text_of(const char *key, const char *text, size_t length);
void json_number(const char *key, unsigned long long number);
void json_bool(const char *key, bool value);
void json_null(const char *key);
/* As a string of two lower-case hexadecimal digits a byte. */
void json_hex(const char *key, const void *bytes, size_t length);
/* An errno by name; null for 0 and for numbers that have none, such as libbpf's own. */
void json_errno(const char *key, int error);

#endif
