; commands.s - the commands, except `regs` (registers.s).

.setcpu "65C02"
.include "monitor.inc"

.code
; Runs the command in `line`. An empty line is none.
run_command:
        stz cursor
        jsr skip_spaces
        beq @done

        ldx #0                  ; position in the command table
@entry:
        ldy cursor
@compare:
        lda commands,x
        beq @end_of_name
        cmp line,y
        bne @skip
        inx
        iny
        bra @compare

@end_of_name:                   ; the word on the line must end here too
        lda line,y
        beq @found
        cmp #' '
        beq @found

@skip:                          ; to the zero after the name, and over the address after that
        lda commands,x
        beq @next
        inx
        bra @skip
@next:
        inx
        inx
        inx
        lda commands,x
        bne @entry
        fail_with unknown

@found:
        sty cursor
        jmp (commands+1,x)
@done:
        rts

.rodata
; Name, zero byte, address of the routine; an empty name ends the table. It has to fit into 256 bytes.
.macro command name, routine
        .byte name, 0
        .word routine
.endmacro

commands:
        command "help",   command_help
        command "?",      command_help
        command "x",      command_examine
        command "d",      command_deposit
        command "g",      command_go
        command "regs",   command_regs
        command "fill",   command_fill
        command "sum",    command_sum
        command "uptime", command_uptime
        command "wait",   command_wait
        command "sleep",  command_wait
        command "wai",    command_wai
        command "stat",   command_stat
        command "ver",    command_version
        command "halt",   command_halt
        .byte 0
.assert * - commands <= 256, error, "the command table has outgrown its index"

unknown:        .byte "unknown command; try help", 0

help_text:
        .byte "x [ADDR[.END]]     examine memory", RETURN, LINE_FEED
        .byte "d ADDR BB BB ...   deposit bytes", RETURN, LINE_FEED
        .byte "fill START END BB  fill memory", RETURN, LINE_FEED
        .byte "sum START END      16-bit sum of bytes", RETURN, LINE_FEED
        .byte "g ADDR             run a subroutine", RETURN, LINE_FEED
        .byte "regs               registers at the last BRK", RETURN, LINE_FEED
        .byte "uptime             h:mm:ss.cc since reset", RETURN, LINE_FEED
        .byte "wait N, sleep N    wait N ticks (decimal) of 10 ms", RETURN, LINE_FEED
        .byte "wai                wait for a key", RETURN, LINE_FEED
        .byte "stat               counters", RETURN, LINE_FEED
        .byte "ver                version", RETURN, LINE_FEED
        .byte "halt               stop until reset", RETURN, LINE_FEED
        .byte "numbers are hex unless noted; Control-C interrupts", RETURN, LINE_FEED
        .byte 0

.code
command_help:
        jsr expect_end
        print help_text
        rts

; ---- memory ------------------------------------------------------------------------------------------------------
; x ADDR.END, x ADDR (one row), x (the next row)
command_examine:
        jsr skip_spaces
        beq @next_row
        jsr parse_hex
        lda number
        ldx number+1
        sta first
        stx first+1
        ldy cursor
        lda line,y
        cmp #'.'
        bne @one_row
        inc cursor
        jsr parse_hex
        lda number
        ldx number+1
        sta last
        stx last+1
        jsr expect_end
        jsr check_range
        bra dump

@next_row:
        lda next_row
        ldx next_row+1
        sta first
        stx first+1
@one_row:
        jsr expect_end
        clc
        lda first
        adc #15
        sta last
        lda first+1
        adc #0
        sta last+1
        bcc dump
        lda #$FF                ; not beyond the end of memory
        sta last
        sta last+1

; Prints the bytes from `first` to `last`, sixteen to a row.
dump:
        ldy #0                  ; becomes 1 with the last byte
@row:
        bit break_flag          ; left standing: read_line will see it and tell
        bmi @done
        lda first
        ldx first+1
        jsr put_hex_word
        lda #':'
        jsr put_char

        ldx #0
@byte:
        lda (first)             ; read once only: a device register may change when it is read
        sta row,x
        jsr put_space
        jsr put_hex
        inx
        jsr next_address
        bcc @not_last
        iny
        bra @end_of_row
@not_last:
        cpx #16
        bne @byte

@end_of_row:
        stx byte_count
@pad:
        cpx #16
        beq @characters
        jsr put_space
        jsr put_space
        jsr put_space
        inx
        bra @pad

@characters:
        jsr put_space
        jsr put_space
        ldx #0
@character:
        lda row,x
        jsr put_printable
        inx
        cpx byte_count
        bne @character
        jsr put_newline
        cpy #0
        beq @row

@done:
        lda first
        ldx first+1
        cpy #0
        beq @remember
        inc                     ; after the last row `first` stands on the last byte
        bne @remember
        inx
@remember:
        sta next_row
        stx next_row+1
        rts

; Prints A, or a dot in place of what is no printable ASCII character.
put_printable:
        cmp #' '
        bcc @dot
        cmp #DELETE
        bcc @print
@dot:
        lda #'.'
@print:
        jmp put_char

; Moves `first` on. Carry set: it stands on `last` already, and stays. Keeps X and Y.
next_address:
        lda first
        cmp last
        bne @move
        lda first+1
        cmp last+1
        beq @end                ; with the carry set, as equal numbers leave it
@move:
        increment first
        clc
@end:
        rts

; d ADDR BB BB ...
; All bytes are read before the first is stored, so that a line with an error in it changes nothing. They are kept at
; the start of the line itself, which the parser has left behind by then.
command_deposit:
        jsr parse_hex
        lda number
        ldx number+1
        sta first
        stx first+1
        stz byte_count
@next:
        jsr parse_byte
        lda number
        ldx byte_count
        sta line,x
        inc byte_count
        jsr skip_spaces
        bne @next

        ldy #0
@store:
        lda line,y
        sta (first),y
        iny
        cpy byte_count
        bne @store
        rts

; fill START END BB
command_fill:
        jsr parse_range
        jsr parse_byte
        jsr expect_end
@next:
        lda number
        sta (first)
        jsr next_address
        bcc @next
        rts

; sum START END
command_sum:
        jsr parse_range
        jsr expect_end
        stz number
        stz number+1
@next:
        clc
        lda (first)
        adc number
        sta number
        bcc @no_carry
        inc number+1
@no_carry:
        jsr next_address
        bcc @next
        print sum_text
        lda number
        ldx number+1
        jsr put_hex_word
        jmp put_newline

.rodata
sum_text:       .byte "sum ", 0

; ---- running programs --------------------------------------------------------------------------------------------
.code
; g ADDR
; Whatever the program leaves behind, the prompt puts the stack, the decimal mode and the interrupt mask in order.
command_go:
        jsr parse_hex
        jsr expect_end
        jsr @call
        jmp prompt
@call:
        lda saved_a
        ldx saved_x
        ldy saved_y
        jmp (number)

; ---- time --------------------------------------------------------------------------------------------------------
; uptime
command_uptime:
        jsr expect_end
        ldx #4                  ; a copy taken between two ticks: read one by one, the parts would not fit together
        sei
@copy:
        lda centiseconds,x
        sta row,x
        dex
        bpl @copy
        cli

        lda row + hours - centiseconds
        ldx row + hours - centiseconds + 1
        jsr put_decimal
        lda #':'
        jsr put_char
        lda row + minutes - centiseconds
        jsr put_two_digits
        lda #':'
        jsr put_char
        lda row + seconds - centiseconds
        jsr put_two_digits
        lda #'.'
        jsr put_char
        lda row
        jsr put_two_digits
        jmp put_newline

; wait N
command_wait:
        jsr parse_decimal
        jsr expect_end
        lda number
        ldx number+1
        jsr sleep
        bcs @stopped
        print waited_text
        rts
@stopped:
        print stopped_text
        rts

; wai
command_wai:
        jsr expect_end
        print waiting_text
        jsr get_char
        pha
        print key_text
        pla
        jsr put_hex
        jsr put_space
        jsr put_printable
        jmp put_newline

.rodata
waited_text:    .byte "waited", RETURN, LINE_FEED, 0
stopped_text:   .byte "stopped", RETURN, LINE_FEED, 0
waiting_text:   .byte "waiting for a key", RETURN, LINE_FEED, 0
key_text:       .byte "key ", 0

; ---- about the machine -------------------------------------------------------------------------------------------
.code
; stat
command_stat:
        jsr expect_end
        print received_text
        ldy #received
        jsr put_counter
        print overflow_text
        ldy #ring_overflows
        jsr put_counter
        print overrun_text
        ldy #acia_overruns
        jsr put_counter
        print nmi_text
        ldy #nmi_count
        jsr put_counter
        jmp put_newline

; Prints the 16-bit counter at zero-page address Y, read between two interrupts. Changes A, X and Y.
put_counter:
        php
        sei
        lda a:$0000,y
        ldx a:$0001,y
        plp
        jmp put_decimal

; ver
command_version:
        jsr expect_end
        print version_text
        rts

; halt
; The ACIA has a register and a shifter behind it, and says only when the register is free. Two ticks are time enough
; for both to empty before the CPU stops.
command_halt:
        jsr expect_end
        print halted_text
        lda #2
        ldx #0
        jsr sleep
        sei
        stp

.rodata
received_text:  .byte "received ", 0
overflow_text:  .byte ", ring overflow ", 0
overrun_text:   .byte ", acia overrun ", 0
nmi_text:       .byte ", nmi ", 0
version_text:   .byte VERSION, RETURN, LINE_FEED
                .byte "W65C02 1 MHz, RAM 0000-3FFF, ACIA 5000, VIA 6000, ROM 8000-FFFF", RETURN, LINE_FEED, 0
halted_text:    .byte "halted", RETURN, LINE_FEED, 0
