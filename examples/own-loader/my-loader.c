// A loader in thirty lines, for the matrix beside it: ends with 0 if everything in an object was loaded, else says why not and ends with 1.
//
//     clang -O2 -o my-loader my-loader.c -lbpf
//     ksym-matrix run
//
// libbpf and the other libraries are taken along into the guest from here.
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

int main(int argc, char **argv)
{
	struct bpf_object *object;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: my-loader OBJECT\n");
		return 2;
	}
	object = bpf_object__open(argv[1]);
	error = libbpf_get_error(object);
	if (error) {
		fprintf(stderr, "cannot be opened: %s\n", strerror(-error));
		return 1;
	}
	error = bpf_object__load(object);
	if (error)
		fprintf(stderr, "cannot be loaded: %s\n", strerror(-error));
	bpf_object__close(object);
	return error ? 1 : 0;
}
