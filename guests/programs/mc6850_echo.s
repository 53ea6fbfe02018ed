; mc6850_echo.s - for the `sbc6850` board: sends back every byte that the MC6850 receives, by interrupts alone.
;
; The receiver interrupt puts bytes into a ring buffer and switches the transmitter interrupt on; the transmitter
; interrupt sends them, and switches itself off when the ring buffer is empty. The main program only counts, so that a
; run shows how much time was left to it. Plain 6502 code: it runs on the NMOS chip as well.

.setcpu "6502"

; ---- MC6850 ACIA, by its data-sheet names ------------------------------------------------------------------------
ACIA_CONTROL    = $A000         ; write
ACIA_STATUS     = $A000         ; read
ACIA_DATA       = $A001

ACIA_RDRF       = %00000001     ; status: receive data register full
ACIA_TDRE       = %00000010     ; status: transmit data register empty
ACIA_OVRN       = %00100000     ; status: a byte was lost

ACIA_MASTER_RESET = %00000011
; clock divided by 16 (115200 baud from 1.8432 MHz), 8N1, RTS low, receiver interrupt on
ACIA_RECEIVE    = %10010101     ; transmitter interrupt off
ACIA_BOTH       = %10110101     ; transmitter interrupt on

.zeropage
idle_count:     .res 3          ; rounds of the main loop
ring_head:      .res 1          ; where the next received byte goes
ring_tail:      .res 1          ; the next byte to send; the ring is empty when both are equal
overruns:       .res 1          ; times the ACIA said that it had lost a byte
overflows:      .res 1          ; bytes lost because the ring was full

.segment "RING"
ring:           .res 256

.code
reset:
        sei
        cld
        ldx #$FF
        txs
        lda #0
        ldx #overflows - idle_count
@clear:
        sta idle_count,x
        dex
        bpl @clear
        lda #ACIA_MASTER_RESET
        sta ACIA_CONTROL
        lda #ACIA_RECEIVE
        sta ACIA_CONTROL
        cli

idle:
        inc idle_count
        bne idle
        inc idle_count+1
        bne idle
        inc idle_count+2
        jmp idle

; ---- interrupts --------------------------------------------------------------------------------------------------
interrupt:
        pha
        txa
        pha
        lda ACIA_STATUS
        lsr                     ; RDRF goes to the carry
        bcc @not_received
        jsr receive
@not_received:
        ldx ring_tail
        cpx ring_head
        beq @nothing_to_send
        lda ACIA_STATUS
        and #ACIA_TDRE
        beq @keep_sending
        lda ring,x
        sta ACIA_DATA
        inc ring_tail
        ldx ring_tail
        cpx ring_head
        beq @nothing_to_send
@keep_sending:
        lda #ACIA_BOTH
        bne @leave              ; always
@nothing_to_send:
        lda #ACIA_RECEIVE
@leave:
        sta ACIA_CONTROL        ; the control register cannot be read back, so it is written every time
        pla
        tax
        pla
        rti

receive:
        lda ACIA_STATUS         ; OVRN goes away when the data register is read
        and #ACIA_OVRN
        beq @no_overrun
        inc overruns
@no_overrun:
        lda ACIA_DATA
        ldx ring_head
        inx
        cpx ring_tail           ; one place stays free, or a full ring would look like an empty one
        beq @full
        dex
        sta ring,x
        inc ring_head
        rts
@full:
        inc overflows
        rts

unused_interrupt:
        rti

.segment "VECTORS"
        .word unused_interrupt
        .word reset
        .word interrupt
