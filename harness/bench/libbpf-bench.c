/*
 * What the loader is measured against: libbpf doing the same, in one process, several times over. Prints the milliseconds of each turn, the first
 * one included, a line each.
 *
 *   libbpf-bench TURNS btf FILE NAME...       parse BTF, look up a variable of each name
 *   libbpf-bench TURNS kallsyms FILE NAME...  scan as libbpf_kallsyms_parse (src/libbpf.c) does, and compare each symbol with each name
 *   libbpf-bench TURNS open OBJECT            open an object and close it
 *   libbpf-bench TURNS resolve OBJECT         open an object, load none of its programs: what is left of bpf_object__load is to resolve its
 *                                             externs against this kernel, and to create its maps
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void btf_turn(const char *file, char **names, int count)
{
	struct btf *btf = btf__parse(file, NULL);

	if (!btf)
		fail(file);
	for (int i = 0; i < count; i++)
		if (btf__find_by_name_kind(btf, names[i], BTF_KIND_VAR) < 0)
			fail(names[i]);
	btf__free(btf);
}

static void kallsyms_turn(const char *file, char **names, int count)
{
	unsigned long long address;
	char type, name[500];
	int fields, found = 0;
	FILE *stream = fopen(file, "r");

	if (!stream)
		fail(file);
	while ((fields = fscanf(stream, "%llx %c %499s%*[^\n]\n", &address, &type, name)) == 3)
		for (int i = 0; i < count; i++)
			found += !strcmp(name, names[i]);
	if (fields != EOF || found < count)
		fail("kallsyms");
	fclose(stream);
}

static void object_turn(const char *file, int resolve)
{
	struct bpf_object *object = bpf_object__open_file(file, NULL);
	struct bpf_program *program;

	if (!object)
		fail(file);
	if (resolve) {
		bpf_object__for_each_program(program, object)
			bpf_program__set_autoload(program, false);
		if (bpf_object__load(object))
			fail("load");
	}
	bpf_object__close(object);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

int main(int argc, char **argv)
{
	const char *task = argc > 3 ? argv[2] : "";

	libbpf_set_print(quiet);
	for (int turn = 0; turn < (argc > 3 ? atoi(argv[1]) : 1); turn++) {
		double start = now();

		if (!strcmp(task, "btf"))
			btf_turn(argv[3], argv + 4, argc - 4);
		else if (!strcmp(task, "kallsyms"))
			kallsyms_turn(argv[3], argv + 4, argc - 4);
		else if (!strcmp(task, "open") || !strcmp(task, "resolve"))
			object_turn(argv[3], !strcmp(task, "resolve"));
		else
			return fprintf(stderr, "usage: libbpf-bench TURNS btf|kallsyms|open|resolve FILE [NAME...]\n"), 2;
		printf("%.4f\n", now() - start);
	}
	return 0;
}
