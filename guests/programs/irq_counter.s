; irq_counter.s - for the `breadboard` board: a program whose memory tells whether a run was repeated exactly.
;
; A VIA interrupt increments a counter every PERIOD cycles. The main program goes through a 16-bit xorshift sequence
; and adds each number, and the counter's low byte, into RAM from 0400 to 3FFF, round and round. A byte received on
; the serial line is mixed into the sequence by the interrupt handler, wherever the main program happens to be. So an
; interrupt that comes one instruction early, or a byte that comes one interrupt late, changes everything after it.
;
; After each received byte the main program answers with a line "CCCC SSSS": the counter and the state, in hex.

.setcpu "65C02"
.include "../breadboard.inc"

; A prime, so that the interrupts wander through the main loop instead of always meeting the same instruction.
PERIOD          = 1237
T1_LATCH        = PERIOD - 2    ; the timer takes two cycles more than its latch says

FIELD_START     = $0400
FIELD_END       = $4000
SEED            = $ACE1         ; any number but zero

.zeropage
counter:        .res 2          ; timer interrupts, modulo 65536
state:          .res 2          ; of the xorshift sequence
place:          .res 2          ; where in RAM the next number goes
reports_wanted: .res 1          ; received bytes that are still to be answered

.code
reset:
        sei
        cld
        ldx #$FF
        txs
        stz counter
        stz counter+1
        stz reports_wanted
        lda #<SEED
        sta state
        lda #>SEED
        sta state+1
        jsr clear_field
        jsr start_chips
        cli

main:
        lda reports_wanted
        beq @no_report
        jsr report
@no_report:
        jsr next_state
        jsr add_to_field
        bra main

; RAM holds anything after power-on; the sums start at zero.
clear_field:
        jsr start_of_field
        ldy #0
@next:
        tya
        sta (place)
        inc place
        bne @next
        inc place+1
        lda place+1
        cmp #>FIELD_END
        bne @next

start_of_field:
        lda #<FIELD_START
        sta place
        lda #>FIELD_START
        sta place+1
        rts

start_chips:
        stz ACIA_STATUS         ; programmed reset
        lda #ACIA_19200_8N1
        sta ACIA_CONTROL
        lda #ACIA_INTERRUPTS
        sta ACIA_COMMAND
        lda #VIA_DISABLE_ALL
        sta VIA_IER
        lda #VIA_T1_FREE_RUN
        sta VIA_ACR
        lda #VIA_ENABLE_T1
        sta VIA_IER
        lda #<T1_LATCH
        sta VIA_T1CL
        lda #>T1_LATCH
        sta VIA_T1CH
        rts

; One step of the sequence x ^= x << 7, x ^= x >> 9, x ^= x << 8, which goes through all 65535 numbers but zero.
; Interrupts stay enabled: a byte mixed in half-way is as good as anywhere else, only no longer part of the sequence.
; It may even leave zero, from which the sequence would not come back; then it starts again.
next_state:
        lda state+1             ; x << 7 is x << 8 moved right once: the bits that go into the high byte ...
        lsr
        lda state
        ror
        eor state+1
        sta state+1
        lda #0                  ; ... and the one that goes into the low byte
        ror
        eor state
        sta state
        lda state+1             ; x >> 9 is the high byte moved right once
        lsr
        eor state
        sta state
        eor state+1             ; x << 8 is the low byte
        sta state+1
        ora state
        bne @done
        lda #<SEED
        sta state
        lda #>SEED
        sta state+1
@done:
        rts

; Adds the state and the counter's low byte to the two bytes at `place`, and moves on.
add_to_field:
        ldy #1
        clc
        lda (place)
        adc state
        adc counter             ; with the carry of the addition before: a sum is all that is wanted
        sta (place)
        lda (place),y
        adc state+1
        sta (place),y
        clc
        lda place
        adc #2
        sta place
        bcc @done
        inc place+1
        lda place+1
        cmp #>FIELD_END
        beq start_of_field
@done:
        rts

; ---- answers -----------------------------------------------------------------------------------------------------
report:
        dec reports_wanted      ; one instruction: the interrupt handler may increment it before or after
        lda counter+1
        jsr put_hex
        lda counter
        jsr put_hex
        lda #' '
        jsr put_char
        lda state+1
        jsr put_hex
        lda state
        jsr put_hex
        lda #$0D
        jsr put_char
        lda #$0A
        jmp put_char

put_hex:
        pha
        lsr
        lsr
        lsr
        lsr
        jsr put_digit
        pla
        and #$0F
put_digit:
        tax
        lda digits,x

; Looking at the ACIA's status releases its interrupt line, so a byte found there is served on the spot, with
; interrupts masked, as the interrupt handler would do.
put_char:
        tax
@wait:
        sei
        jsr serve_acia
        cli
        and #ACIA_TDRE
        beq @wait
        stx ACIA_DATA
        rts

; ---- interrupts --------------------------------------------------------------------------------------------------
interrupt:
        pha
        bit VIA_IFR             ; bit 6, timer 1, goes to V
        bvc @no_tick
        lda VIA_T1CL            ; acknowledges
        inc counter
        bne @no_tick
        inc counter+1
@no_tick:
        jsr serve_acia
        pla
        rti

; Mixes a received byte into the state. Returns the ACIA's status in A. Interrupts must be masked.
serve_acia:
        lda ACIA_STATUS
        pha
        and #ACIA_RDRF
        beq @done
        lda ACIA_DATA
        eor state
        sta state
        inc reports_wanted
@done:
        pla
        rts

unused_interrupt:
        rti

.rodata
digits:         .byte "0123456789ABCDEF"

.segment "VECTORS"
        .word unused_interrupt
        .word reset
        .word interrupt
