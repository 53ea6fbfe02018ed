; parse.s - numbers on the command line.
;
; `cursor` is the position in the line. A routine here that does not find what it wants ends the command with an error
; message and does not return, so commands need no error paths of their own.

.setcpu "65C02"
.include "monitor.inc"

.code
; Moves the cursor to the next character that is not a space, and returns it in A; Z set: the line ends here.
; Changes Y.
skip_spaces:
        ldy cursor
@next:
        lda line,y
        cmp #' '
        bne @done
        iny
        bra @next
@done:
        sty cursor
        lda line,y
        rts

expect_end:
        jsr skip_spaces
        beq @done
        fail_with too_much
@done:
        rts

; Like skip_spaces, for a command that needs something more.
expect_more:
        jsr skip_spaces
        bne @done
        fail_with too_little
@done:
        rts

; Reads a hex number of one to four digits, with or without a $ before it, into `number`. Changes A, X and Y.
parse_hex:
        jsr expect_more
        cmp #'$'
        bne @digits
        iny
@digits:
        stz number
        stz number+1
        ldx #4                  ; digits that may still come
@next:
        lda line,y
        jsr hex_digit
        bcs @end
        dex
        bmi @too_large
        pha
        lda number
        asl
        rol number+1
        asl
        rol number+1
        asl
        rol number+1
        asl
        rol number+1
        sta number
        pla
        tsb number              ; the low four bits are free now
        iny
        bra @next

@end:
        cpx #4
        beq @not_hex            ; there was no digit
        sty cursor
        lda line,y
        beq @done
        cmp #' '
        beq @done
        cmp #'.'                ; of a range; a command that wants none will stumble over it
        bne @not_hex
@done:
        rts

@not_hex:
        fail_with not_hex
@too_large:
        fail_with too_large

; The value of hex digit A, carry clear; carry set: it is none. Letters are in lower case already.
hex_digit:
        sec
        sbc #'0'
        bcc @none               ; below '0'
        cmp #10
        bcc @done
        sbc #'a' - '0' - 10     ; the carry is set
        cmp #10
        bcc @none               ; between '9' and 'a'
        cmp #16                 ; leaves the carry as wanted
@done:
        rts
@none:
        sec
        rts

; Reads a hex number that fits into a byte.
parse_byte:
        jsr parse_hex
        lda number+1
        beq @done
        fail_with not_a_byte
@done:
        rts

; Reads a decimal number up to 65535 into `number`. Changes A, X, Y and `first`.
parse_decimal:
        jsr expect_more
        stz number
        stz number+1
@next:
        lda line,y
        beq @end
        cmp #' '
        beq @end
        sec
        sbc #'0'
        cmp #10                 ; what was below '0' is large now
        bcs @not_decimal
        jsr times_ten_plus
        bcs @too_large
        iny
        bra @next
@end:
        sty cursor
        rts

@not_decimal:
        fail_with not_decimal
@too_large:
        fail_with too_large

; number = number * 10 + A; carry set: it does not fit. Changes A, X and `first`.
times_ten_plus:
        pha
        lda number
        ldx number+1
        sta first
        stx first+1
        jsr double
        bcs @overflow
        jsr double
        bcs @overflow
        lda number              ; four times and once is five times
        adc first
        sta number
        lda number+1
        adc first+1
        sta number+1
        bcs @overflow
        jsr double
        bcs @overflow
        pla
        adc number
        sta number
        bcc @done
        inc number+1
        beq @done               ; with the carry still set
        clc
@done:
        rts
@overflow:
        pla
        sec
        rts

double:
        asl number
        rol number+1
        rts

; Reads two hex numbers into `first` and `last`.
parse_range:
        jsr parse_hex
        lda number
        ldx number+1
        sta first
        stx first+1
        jsr parse_hex
        lda number
        ldx number+1
        sta last
        stx last+1

; Makes sure that `last` does not lie before `first`.
check_range:
        lda last
        cmp first
        lda last+1
        sbc first+1
        bcs @done
        fail_with wrong_order
@done:
        rts

.rodata
too_much:       .byte "there is too much on the line", 0
too_little:     .byte "something is missing; try help", 0
not_hex:        .byte "not a hex number", 0
not_decimal:    .byte "not a decimal number", 0
too_large:      .byte "number too large", 0
not_a_byte:     .byte "a byte is 00 to FF", 0
wrong_order:    .byte "the end lies before the start", 0
