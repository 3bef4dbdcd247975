package sandbox

import "golang.org/x/sys/unix"

// deniedHere are calls like those of denied that other architectures do not have.
var deniedHere = []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS__SYSCTL, unix.SYS_MKNOD, unix.SYS_KEXEC_FILE_LOAD}
