import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A source that real make and real virtme-configkernel take for Linux: it has kbuild's goals and files, and compiles a few "files" with
 * the gcc in PATH. As with kconfig the last line of .config wins; CONFIG_STUBBORN cannot be set.
 */
export function writeFakeSource(folder: string): void {
  mkdirSync(join(folder, 'kernel'), { recursive: true });
  mkdirSync(join(folder, 'tools/testing/selftests/bpf/bpf_testmod'), { recursive: true });
  writeFileSync(join(folder, 'Makefile'), MAKEFILE);
  writeFileSync(join(folder, 'Kconfig'), 'config STUBBORN\n\tbool\n');
  writeFileSync(join(folder, 'tools/testing/selftests/bpf/bpf_testmod/bpf_testmod.c'), 'int module;\n');
  for (const name of ['fork', 'exit', 'sys']) writeFileSync(join(folder, 'kernel', `${name}.c`), `int ${name};\n`);
}

/** A folder for PATH with a compiler that copies, is slow about what says `slow`, and refuses what has `#error` in it. */
export function writeFakeTools(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const gcc = `#!/bin/sh
[ "$1" = --version ] && { echo 'gcc (fake) 1.0'; exit 0; }
if grep -q '#error' "$1"; then echo "$1:1:2: error: #error this cannot be compiled" >&2; exit 1; fi
if grep -q slow "$1"; then printf half > "$2"; sleep 60; fi
cp "$1" "$2"
`;
  const scripts = { gcc, ld: '#!/bin/sh\necho ld 1.0\n', pahole: '#!/bin/sh\necho v1.24\n' };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
}

const MAKEFILE = `VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 99
EXTRAVERSION = -fake
RELEASE := 6.1.99-fake
OBJECTS := $(patsubst %.c,$(O)/%.o,$(wildcard kernel/*.c))
.DELETE_ON_ERROR:
allnoconfig:
	@mkdir -p $(O)/kernel && : > $(O)/.config
olddefconfig:
	@awk -F= '/^# CONFIG_.* is not set/ { delete value[substr($$0, 3, length($$0) - 13)] } \\
		/^CONFIG_/ { key = $$1; sub(/^[^=]*=/, ""); value[key] = $$0 } \\
		END { for (key in value) if (value[key] != "n" && key != "CONFIG_STUBBORN") print key "=" value[key] }' \\
		$(O)/.config | sort > $(O)/.config.new && mv $(O)/.config.new $(O)/.config
$(O)/%.o: %.c
	@echo '  CC      $*.o'
	@gcc $< $@
bzImage: $(OBJECTS)
	@mkdir -p $(O)/arch/x86/boot $(O)/include/config
	@echo '  LD      vmlinux'
	@cat $(OBJECTS) $(O)/.config > $(O)/arch/x86/boot/bzImage
	@cp $(O)/arch/x86/boot/bzImage $(O)/vmlinux
	@echo '$(RELEASE)' > $(O)/include/config/kernel.release
	@echo 'ffffffff81000000 T _text' > $(O)/System.map
	@printf 'modules:\\n\\tgcc $$(M)/bpf_testmod.c $$(M)/bpf_testmod.ko\\nmodules_install:\\n\\tmkdir -p $$(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/$$(INSTALL_MOD_DIR)\\n\\tcp $$(M)/bpf_testmod.ko $$(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/$$(INSTALL_MOD_DIR)/\\n' > $(O)/Makefile
modules: bzImage
modules_install:
	@mkdir -p $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)
	@ln -s $(CURDIR) $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/build
`;
