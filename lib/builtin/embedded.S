/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file NETWORK as bytes of the library. */
    .section .rodata
    .balign 64
    .global patchcore_builtin_begin
    .hidden patchcore_builtin_begin
patchcore_builtin_begin:
    .incbin NETWORK
    .global patchcore_builtin_end
    .hidden patchcore_builtin_end
patchcore_builtin_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
