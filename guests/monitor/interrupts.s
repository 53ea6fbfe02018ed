; interrupts.s - the chips' set-up, and what happens behind the main program's back.

.setcpu "65C02"
.include "monitor.inc"

CLOCK_HZ        = 1000000
TICKS_PER_SECOND = 100

; In free-running mode timer 1 counts the latch down to zero, shows FFFF for one more cycle and then takes one to
; reload, so its period is the latch plus two.
T1_LATCH        = CLOCK_HZ / TICKS_PER_SECOND - 2

.code
; Sets the serial line to 19200 baud, 8N1, with an interrupt for every byte received.
start_serial:
        stz ACIA_STATUS         ; any write is a programmed reset
        lda #ACIA_19200_8N1
        sta ACIA_CONTROL
        lda #ACIA_INTERRUPTS
        sta ACIA_COMMAND
        lda ACIA_DATA           ; a byte from before the reset is of no interest
        rts

; Makes the VIA interrupt every hundredth of a second, and nothing else of it.
start_ticks:
        lda #VIA_DISABLE_ALL
        sta VIA_IER
        lda #VIA_T1_FREE_RUN
        sta VIA_ACR
        lda #<T1_LATCH
        sta VIA_T1CL
        lda #>T1_LATCH
        sta VIA_T1CH            ; the timer runs from here
        lda #VIA_ENABLE_T1
        sta VIA_IER
        rts

; ---- IRQ and BRK -------------------------------------------------------------------------------------------------
; Both come through the same vector; bit 4 of the pushed P tells them apart. The stack then holds, from the top: X, A,
; P, the return address.
interrupt:
        pha
        phx
        tsx
        lda $0103,x
        and #%00010000
        bne @break

        bit VIA_IFR             ; bit 6, timer 1, goes to V
        bvc @no_tick
        lda VIA_T1CL            ; reading it acknowledges the interrupt
        jsr count_tick
@no_tick:
        jsr serve_acia          ; asked every time: see there
        plx
        pla
        rti

@break:
        plx
        pla
        jmp report_break

; One hundredth of a second has passed. Changes A.
count_tick:
        increment ticks
        inc centiseconds
        lda centiseconds
        cmp #100
        bcc @done
        stz centiseconds
        inc seconds
        lda seconds
        cmp #60
        bcc @done
        stz seconds
        inc minutes
        lda minutes
        cmp #60
        bcc @done
        stz minutes
        increment hours
@done:
        rts

; ---- serial receiver ---------------------------------------------------------------------------------------------
; Takes the byte that the ACIA may have received. Returns the status register in A, changes X.
; Interrupts must be masked.
;
; Reading the status register releases the ACIA's interrupt line. So whoever reads it, even if only to see whether
; the transmitter is free, has taken the interrupt away and must look after the received byte as well. That is why
; this routine serves the interrupt handler and put_char alike, and why it goes by RDRF rather than by the status
; register's interrupt bit.
serve_acia:
        lda ACIA_STATUS
        pha
        and #ACIA_RDRF
        beq @done

        pla                     ; the overrun bit goes away when the data register is read
        pha
        and #ACIA_OVERRUN
        beq @no_overrun
        increment acia_overruns
@no_overrun:
        increment received
        lda ACIA_DATA
        cmp #CONTROL_C
        beq @control_c

        ldx ring_head
        inx
        cpx ring_tail           ; one place stays free, or a full ring would look like an empty one
        beq @full
        dex
        sta ring,x
        inc ring_head
@done:
        pla
        rts

@full:
        increment ring_overflows
        pla
        rts

@control_c:                     ; forgets what was typed ahead
        ldx ring_head
        stx ring_tail
        lda #$80
        sta break_flag
        pla
        rts

; ---- NMI ---------------------------------------------------------------------------------------------------------
; Nothing on the board pulls this line; a person with a wire, or a debugger, may.
non_maskable_interrupt:
        increment nmi_count
        rti
