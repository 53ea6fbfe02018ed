; console.s - characters and numbers, out and in, and waiting.

.setcpu "65C02"
.include "monitor.inc"

.code
; ---- output ------------------------------------------------------------------------------------------------------
; Prints A. Keeps A, X, Y and the interrupt mask.
put_char:
        phx
        pha
@wait:
        php                     ; serve_acia wants interrupts masked; let them in again between two looks
        sei
        jsr serve_acia
        plp
        and #ACIA_TDRE
        beq @wait
        pla
        sta ACIA_DATA
        plx
        rts

put_newline:
        pha
        lda #RETURN
        jsr put_char
        lda #LINE_FEED
        jsr put_char
        pla
        rts

put_space:
        pha
        lda #' '
        jsr put_char
        pla
        rts

; Prints the zero-ended text at A (low), X (high). Changes A.
put_text:
        sta text
        stx text+1
        phy
        ldy #0
@next:
        lda (text),y
        beq @done
        jsr put_char
        iny
        bne @next
        inc text+1
        bra @next
@done:
        ply
        rts

; Prints A as two hex digits. Keeps A, X and Y.
put_hex:
        pha
        pha
        lsr
        lsr
        lsr
        lsr
        jsr put_hex_digit
        pla
        and #$0F
        jsr put_hex_digit
        pla
        rts

; Prints A (low), X (high) as four hex digits.
put_hex_word:
        pha
        txa
        jsr put_hex
        pla
        jmp put_hex

put_hex_digit:                  ; A is 0-15
        cmp #10
        bcc @decimal_digit
        adc #'A' - '9' - 2      ; the carry is set and adds the last one
@decimal_digit:
        adc #'0'                ; the carry is clear: the compare or the addition left it so
        jmp put_char

; Prints A, 0-99, as two decimal digits. Changes A and X.
put_two_digits:
        ldx #0
        jsr to_decimal
        lda decimal
        jmp put_hex

; Prints A (low), X (high) in decimal, without leading zeros. Changes A, X and Y.
put_decimal:
        jsr to_decimal
        ldx #2
        ldy #0                  ; becomes 1 with the first digit that is not a leading zero
@next:
        lda decimal,x
        lsr
        lsr
        lsr
        lsr
        jsr @digit
        lda decimal,x
        and #$0F
        cpx #0
        bne @not_last
        iny                     ; the last digit is printed even when it is zero
@not_last:
        jsr @digit
        dex
        bpl @next
        rts

@digit:                         ; prints digit A, unless it is a leading zero
        cmp #0
        bne @print
        cpy #0
        beq @skip
@print:
        ldy #1
        ora #'0'
        jsr put_char
@skip:
        rts

; Turns A (low), X (high) into six BCD digits in `decimal`. Changes A, X and `number`.
; The number is shifted out from the top; the digits are doubled, in decimal mode, with each bit coming in at the
; bottom. An interrupt in between does no harm: the 65C02 clears D for its handler, and RTI brings it back.
to_decimal:
        sta number
        stx number+1
        stz decimal
        stz decimal+1
        stz decimal+2
        ldx #16
        sed
@bit:
        asl number
        rol number+1
        lda decimal
        adc decimal
        sta decimal
        lda decimal+1
        adc decimal+1
        sta decimal+1
        lda decimal+2
        adc decimal+2
        sta decimal+2
        dex
        bne @bit
        cld
        rts

; ---- waiting -----------------------------------------------------------------------------------------------------
; The two routines below wait for something that an interrupt handler brings. The obvious way, "look, and if there is
; nothing, WAI", loses a wake-up when the interrupt comes between the look and the WAI: its handler runs, and then the
; CPU goes to sleep on a byte that is already there. So the look and the WAI are done with interrupts masked. WAI ends
; on an interrupt request all the same, and the request is still standing when CLI lets the handler run. CLI takes
; effect one instruction late: the NOP is what the handler comes after.

; Waits for a byte. Returns it in A, carry clear; or Control-C, carry set. Keeps X and Y, leaves interrupts enabled.
get_char:
        phx
@look:
        sei
        bit break_flag
        bmi @break
        ldx ring_tail
        cpx ring_head
        bne @take
        wai
        cli
        nop
        bra @look

@take:
        lda ring,x
        inc ring_tail
        cli
        plx
        clc
        rts

@break:
        stz break_flag
        cli
        plx
        lda #CONTROL_C
        sec
        rts

; Waits A (low), X (high) ticks, or until Control-C: carry set. Keeps X and Y, leaves interrupts enabled.
sleep:
        phx
        sta number
        stx number+1
        sei
        ldx ticks               ; the tick that has been counted last
@look:
        bit break_flag
        bmi @break
        lda number
        ora number+1
        beq @done
        cpx ticks
        bne @tick
        wai
        cli
        nop
        sei
        bra @look

@tick:
        inx
        lda number
        bne @low
        dec number+1
@low:
        dec number
        bra @look

@done:
        cli
        plx
        clc
        rts

@break:
        stz break_flag
        cli
        plx
        sec
        rts
