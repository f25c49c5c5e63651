package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errnoOf is the name of the kernel's errno behind an error; nil if there is none, as where the library refuses something itself.
func errnoOf(err error) *string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		cause := oldVerifierCause(err)
		if cause == nil || !errors.As(cause, &number) {
			return nil
		}
	}
	return errnoName(number)
}

func errnoName(number syscall.Errno) *string {
	name := unix.ErrnoName(number)
	if number == 524 { // The kernel's own; it is in no header for user space.
		name = "ENOTSUPP"
	}
	if name == "" {
		return nil
	}
	return &name
}

// verifierLogOf is the verifier's whole log; nil if the error has none.
func verifierLogOf(err error) *string {
	found := verifierError(err)
	if !found.IsValid() {
		return nil
	}
	var log strings.Builder // A log may have a hundred thousand lines.
	if lines := found.FieldByName("Log"); lines.IsValid() {
		for index := 0; index < lines.Len(); index++ {
			log.WriteString(lines.Index(index).String())
			log.WriteByte('\n')
		}
	} else if whole := found.FieldByName("log"); whole.IsValid() {
		log.WriteString(whole.String())
	}
	text := endOfLog(strings.TrimRight(log.String(), "\n"))
	return &text
}

const logKept = 1 << 20

// endOfLog is a log without its beginning, if it is long: why the program is refused stands at the end.
func endOfLog(log string) string {
	left := len(log) - logKept
	if left <= 0 {
		return log
	}
	return fmt.Sprintf("(%d bytes of the log are left out here)\n%s", left, log[left:])
}

// verifierError looks for a VerifierError, which is not exported by the first versions: a struct, or an invalid value if there is none.
func verifierError(err error) reflect.Value {
	for ; err != nil; err = errors.Unwrap(err) {
		value := reflect.ValueOf(err)
		if value.Kind() == reflect.Pointer && value.Elem().Kind() == reflect.Struct && value.Elem().Type().Name() == "VerifierError" {
			return value.Elem()
		}
	}
	return reflect.Value{}
}

// oldVerifierCause is what a VerifierError of 0.2 wraps and does not give away: it has no Unwrap there.
func oldVerifierCause(err error) error {
	found := verifierError(err)
	if !found.IsValid() {
		return nil
	}
	cause := found.FieldByName("cause")
	if !cause.IsValid() {
		return nil
	}
	readable := reflect.NewAt(cause.Type(), unsafe.Pointer(cause.UnsafeAddr())).Elem()
	inner, _ := readable.Interface().(error)
	return inner
}
