; echo.s - for the `breadboard` board: sends back every byte that the 6551 receives. Polled, without interrupts.
;
; The received byte waits in A while the transmitter is busy, so bytes that follow each other without a gap come back
; complete as long as both directions have the same speed.

.setcpu "65C02"
.include "../breadboard.inc"

.code
reset:
        sei
        cld
        ldx #$FF
        txs
        stz ACIA_STATUS         ; programmed reset
        lda #ACIA_19200_8N1
        sta ACIA_CONTROL
        lda #ACIA_POLLED
        sta ACIA_COMMAND

receive:
        lda ACIA_STATUS
        and #ACIA_RDRF
        beq receive
        ldx ACIA_DATA

transmit:
        lda ACIA_STATUS
        and #ACIA_TDRE
        beq transmit
        stx ACIA_DATA
        bra receive

unused_interrupt:
        rti

.segment "VECTORS"
        .word unused_interrupt
        .word reset
        .word unused_interrupt
