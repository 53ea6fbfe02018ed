; monitor.s - the start of the monitor: reset, the prompt, errors, the service table and the vectors.
;
; The monitor is a single loop: print the prompt, read a line, run the command, and again. Two interrupts work beside
; it: the serial receiver puts bytes into a ring buffer, and a timer counts hundredths of a second. Whenever there is
; nothing to do, the CPU waits in WAI.

.setcpu "65C02"
.include "monitor.inc"

; ---- services ----------------------------------------------------------------------------------------------------
; Entry points that stay where they are, for programs started with `g`. All keep X and Y; those that print keep A too
; unless noted. Programs must leave 00C0-00FF alone and keep interrupts enabled.
.segment "SERVICES"
        jmp put_char            ; 8000  prints A
        jmp get_char            ; 8003  waits in WAI for a byte, returns it in A; carry set: it is Control-C
        jmp put_hex             ; 8006  prints A as two hex digits
        jmp put_newline         ; 8009  prints CR LF
        jmp put_text            ; 800C  prints the zero-ended text at A (low), X (high); changes A
        jmp sleep               ; 800F  waits A (low), X (high) ticks in WAI; carry set: stopped by Control-C
        jmp prompt              ; 8012  gives up the program and returns to the prompt

; ---- reset -------------------------------------------------------------------------------------------------------
.code
reset:
        sei                     ; the chips have forgotten their interrupts, but the 65C02 itself may come from anywhere
        cld
        ldx #$FF
        txs

        ldx #variables_end - variables_start - 1
@clear:
        stz variables_start,x
        dex
        bpl @clear

        jsr start_serial
        jsr start_ticks
        cli
        print banner

; ---- the prompt --------------------------------------------------------------------------------------------------
; Wherever this is reached from, the stack is dropped: a command in trouble needs no way back.
prompt:
        ldx #$FF
        txs
        cld
        cli
        print prompt_text
        jsr read_line
        bcs @interrupted
        jsr run_command
        bra prompt

@interrupted:
        print interrupted_text
        bra prompt

; Ends a command with the message at A (low), X (high).
fail:
        pha
        phx
        print error_text
        plx
        pla
        jsr put_text
        jsr put_newline
        bra prompt

.rodata
banner:         .byte VERSION, RETURN, LINE_FEED, 0
prompt_text:    .byte "> ", 0
interrupted_text: .byte "^C", RETURN, LINE_FEED, 0
error_text:     .byte "? ", 0

; ---- vectors -----------------------------------------------------------------------------------------------------
.segment "VECTORS"
        .word non_maskable_interrupt
        .word reset
        .word interrupt
