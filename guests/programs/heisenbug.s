; heisenbug.s - for the `breadboard` board: a real mistake, which shows once in some thousand runs.
;
; The interrupt handler puts each byte received into a ring; the main program takes it out and answers with its code in
; hex. While there is nothing to do it puts out a lamp on port B and sleeps. It looks into the ring before it sleeps; but
; when a byte comes after it has looked and before it sleeps, the interrupt that should have woken it is over already. It
; then sleeps over a byte that nobody answers, until the next one comes: a lost wake-up.
;
; The window is some ten cycles wide, just after an answer. Whoever types slowly never meets it, and whoever steps
; through the loop closes it. With SEI before the look and CLI behind WAI it would not be there: WAI wakes on an interrupt
; that is masked.

.setcpu "65C02"
.include "../breadboard.inc"

VIA_PORT_B      = $6000
VIA_DDRB        = $6002
LAMP            = %00000001

RING_MASK       = 15

.zeropage
head:           .res 1          ; where the interrupt handler puts the next byte
tail:           .res 1          ; where the main program takes the next one; the same as head: the ring is empty
ring:           .res RING_MASK + 1

.code
reset:
        sei
        cld
        ldx #$FF
        txs
        stz head
        stz tail
        lda #LAMP
        sta VIA_DDRB
        stz ACIA_STATUS         ; programmed reset
        lda #ACIA_19200_8N1
        sta ACIA_CONTROL
        lda #ACIA_INTERRUPTS
        sta ACIA_COMMAND
        cli

main:
        lda tail
        cmp head                ; the mistake: an interrupt from here on ...
        bne answer
        stz VIA_PORT_B
sleep:
        wai                     ; ... up to here wakes nobody
        lda #LAMP
        sta VIA_PORT_B
        bra main

answer:
        tax
        lda ring,x
        inx
        pha
        txa
        and #RING_MASK
        sta tail
        pla
        jsr put_hex
        lda #$0D
        jsr put_char
        lda #$0A
        jsr put_char
        bra main

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

; Looking at the status releases the interrupt line, so a byte found there is taken on the spot.
put_char:
        tax
@wait:
        sei
        jsr take_byte
        cli
        and #ACIA_TDRE
        beq @wait
        stx ACIA_DATA
        rts

interrupt:
        pha
        phx
        jsr take_byte
        plx
        pla
        rti

; Puts a byte that has come into the ring. Returns the ACIA's status in A. Interrupts must be masked.
take_byte:
        lda ACIA_STATUS
        pha
        and #ACIA_RDRF
        beq @done
        phx
        ldx head
        lda ACIA_DATA
        sta ring,x
        inx
        txa
        and #RING_MASK
        sta head
        plx
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
