; registers.s - what BRK does, and the `regs` command.

.setcpu "65C02"
.include "monitor.inc"

.code
; A program has come to a BRK. The interrupt handler has restored A and X; the stack holds P and the return address,
; which is two beyond the BRK. Saves and prints the registers, and gives up the program.
report_break:
        sta saved_a
        stx saved_x
        sty saved_y
        pla
        sta saved_p
        sec
        pla
        sbc #2
        sta saved_pc
        pla
        sbc #0
        sta saved_pc+1
        tsx
        stx saved_s             ; as it was before the BRK
        cld
        cli
        print break_text
        jsr put_registers
        jmp prompt

; regs
command_regs:
        jsr expect_end
; PC=0402 A=12 X=34 Y=56 S=FD P=33 nv-Bdizc, with a capital letter for a flag that is set
put_registers:
        print pc_text
        lda saved_pc
        ldx saved_pc+1
        jsr put_hex_word
        ldx #0
@register:
        jsr put_space
        lda register_names,x
        jsr put_char
        lda #'='
        jsr put_char
        lda saved_a,x
        jsr put_hex
        inx
        cpx #5
        bne @register

        jsr put_space
        lda saved_p
        ldx #0
@flag:
        asl
        pha
        lda flag_names,x
        bcs @set                ; the names are capitals; the bit that makes a small letter leaves '-' as it is
        ora #%00100000
@set:
        jsr put_char
        pla
        inx
        cpx #8
        bne @flag
        jmp put_newline

.assert saved_x = saved_a + 1 && saved_y = saved_a + 2 && saved_s = saved_a + 3 && saved_p = saved_a + 4, lderror, "put_registers goes through them in this order"

.rodata
break_text:     .byte "BRK", RETURN, LINE_FEED, 0
pc_text:        .byte "PC=", 0
register_names: .byte "AXYSP"
flag_names:     .byte "NV-BDIZC"
