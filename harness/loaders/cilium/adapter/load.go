package main

import (
	"debug/elf"
	"fmt"
	"reflect"
	"strings"

	"github.com/cilium/ebpf"
)

// Room for the verifier's log in versions whose default, 64 KiB, cuts it off. Later ones enlarge it themselves.
const logSize = 4 << 20

// loadObject loads everything at once, as the library's users do: one program that fails is the end of all.
func loadObject(path string) (*ebpf.Collection, *answer) {
	result := newAnswer()
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		result.Failure = &failure{"open", errnoOf(err), err.Error()}
		return nil, result
	}
	result.Opened = true
	programs, err := programsIn(path)
	if err != nil {
		panic(err)
	}
	collection, err := ebpf.NewCollectionWithOptions(spec, options())
	if err != nil {
		result.Failure = &failure{"load", errnoOf(err), err.Error()}
		result.Programs = failedPrograms(programs, err)
		return nil, result
	}
	result.Loaded = true
	for _, one := range programs {
		entry := program{Name: one.name, Loaded: collection.Programs[one.name] != nil}
		if !entry.Loaded {
			words := fmt.Sprintf("program %s is left out: nothing is known of section %q", one.name, one.section)
			entry.Message = &words
			result.Loaded = false
			result.Failure = &failure{"load", nil, words}
		}
		result.Programs = append(result.Programs, entry)
	}
	return collection, result
}

func options() ebpf.CollectionOptions {
	var options ebpf.CollectionOptions
	// Gone since 0.16.
	if size := reflect.ValueOf(&options.Programs).Elem().FieldByName("LogSize"); size.IsValid() {
		size.SetInt(logSize)
	}
	return options
}

// failedPrograms says of each program what the collection's error tells: it names at most one.
func failedPrograms(programs []programSymbol, err error) []program {
	words := err.Error()
	result := make([]program, 0, len(programs))
	for _, one := range programs {
		entry := program{Name: one.name}
		if strings.HasPrefix(words, "program "+one.name+": ") {
			entry.Errno = errnoOf(err)
			entry.Message = &words
			entry.VerifierLog = verifierLogOf(err)
		}
		result = append(result, entry)
	}
	return result
}

// programSymbol is a program of an object, as its symbol table has it.
type programSymbol struct{ name, section string }

// programsIn lists an object's programs without the library's help, because it passes over those in sections that it does not know.
func programsIn(path string) ([]programSymbol, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	var programs []programSymbol
	for _, symbol := range symbols {
		isGlobalFunction := elf.ST_TYPE(symbol.Info) == elf.STT_FUNC && elf.ST_BIND(symbol.Info) != elf.STB_LOCAL
		if !isGlobalFunction || int(symbol.Section) >= len(file.Sections) {
			continue
		}
		section := file.Sections[symbol.Section]
		// Functions in .text are called by programs, and are none themselves.
		if section.Flags&elf.SHF_EXECINSTR == 0 || section.Name == ".text" {
			continue
		}
		programs = append(programs, programSymbol{symbol.Name, section.Name})
	}
	return programs, nil
}
