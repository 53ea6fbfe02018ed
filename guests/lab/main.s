; main.s - the suite of the `lab` board: a command of one letter for each device, on the serial console.

.include "suite.inc"
.import clock, entropy, stopwatch, disk, network, tone, level, keys, draw, own, call, sleep, via, pia, second_line

.zeropage
happened:       .res 1
wanted:         .res 1
text:           .res 2
count:          .res 1
typed_head:     .res 1          ; where the next byte that is typed goes
typed_tail:     .res 1          ; where the next one is taken

.segment "RING"
typed:          .res 256

.code
reset:
        sei
        cld
        ldx #$FF
        txs
        stz happened
        stz typed_head
        stz typed_tail
        stz ACIA_STATUS
        lda #ACIA_19200_8N1
        sta ACIA_CONTROL
        lda #ACIA_INTERRUPTS
        sta ACIA_COMMAND
        lda #POWER_SOURCES
        sta POWER_CONTROL
        cli
        lda POWER_STATUS
        and #POWER_WAS_RESET
        beq greet
        sta POWER_STATUS
        print {"reset", 13, 10}
        bra prompt
greet:
        print {"lab suite; ? for help", 13, 10}

prompt:
        print "> "
        jsr get_char
        cmp #' '+1
        bcc prompt              ; newlines and blanks between commands
        pha
        jsr put_char
        jsr put_newline
        pla
        ldx #commands_end - commands - 1
find:
        cmp commands,x
        beq found
        dex
        bpl find
        print {"no such command", 13, 10}
        bra prompt
found:
        txa
        asl
        tax
        jsr go
        bra prompt
go:
        jmp (routines,x)

commands:       .byte "?cewdntlkpuasvimbrx"
commands_end:
routines:       .word help, clock, entropy, stopwatch, disk, network, tone, level, keys, draw, own, call, sleep
                .word via, pia, second_line, break, restart, shut_down

help:
        print {"c clock, e entropy, w stopwatch, d disk, n network, t tone, l level,", 13, 10}
        print {"k keyboard, p pointer, u user's device, a call, s sleep,", 13, 10}
        print {"v via, i pia, m mc6850, b break, r reset, x exit", 13, 10}
        rts

break:
        brk
        .byte 0
        print {"back", 13, 10}
        rts

restart:
        print {"restarting", 13, 10}
        jsr drain
        lda #POWER_RESET
        sta POWER_COMMAND
        rts

shut_down:
        print {"bye", 13, 10}
        jsr drain
        lda #POWER_SHUTDOWN
        sta POWER_COMMAND
        rts

; ---- console -----------------------------------------------------------------------------------------------------
; Sends A. Nothing is changed but the flags.
put_char:
        pha
@busy:
        lda ACIA_STATUS
        bit #ACIA_RDRF          ; reading the status takes the receiver's interrupt away
        beq @no_byte
        jsr take_typed
        bra @busy
@no_byte:
        and #ACIA_TDRE
        beq @busy
        pla
        sta ACIA_DATA
        rts

; Waits until the last byte is on the wire: 19200 baud are 1042 cycles a byte.
drain:
        lda ACIA_STATUS
        and #ACIA_TDRE
        beq drain
        ldx #0
@bits:
        dex
        bne @bits
        rts

; Waits for a byte, into A.
get_char:
        sei
        ldx typed_tail
        cpx typed_head
        bne @there
        wai                     ; an interrupt ends it though it is not accepted yet
        cli
        bra get_char
@there:
        cli
        lda typed,x
        inc typed_tail
        rts

; Puts the received byte into the ring. X is changed.
take_typed:
        php
        sei
        ldx typed_head
        lda ACIA_DATA
        sta typed,x
        inc typed_head
        plp
        rts

put_newline:
        lda #13
        jsr put_char
        lda #10
        bra put_char

; Sends A as two digits.
put_hex:
        pha
        lsr
        lsr
        lsr
        lsr
        jsr @digit
        pla
        and #$0F
@digit:
        cmp #10
        bcc @decimal
        adc #'A'-'9'-2
@decimal:
        adc #'0'
        bra put_char

; Sends the text behind the call, up to a zero byte, and goes on behind that. X and Y are kept.
put_inline:
        pla
        sta text
        pla
        sta text+1
@next:
        inc text                ; the return address is one before what comes next
        bne @same_page
        inc text+1
@same_page:
        lda (text)
        beq @end
        phx
        jsr put_char
        plx
        bra @next
@end:
        lda text+1
        pha
        lda text
        pha
        rts

; ---- waiting -----------------------------------------------------------------------------------------------------
; Waits for one of the events in A, however long.
await_long:
        sta wanted
        bra look

; Waits for one of the events in A, at most two seconds of the CPU's time. Z is set when none came.
await:
        sta wanted
        lda #HAPPENED_ALARM     ; one that has rung before is not meant
        trb happened
        lda #<2000
        sta POWER_ALARM
        lda #>2000
        sta POWER_ALARM+1
look:
        sei
        lda happened
        and #HAPPENED_ALARM
        ora wanted
        and happened
        bne @came
        wai
        cli
        bra look
@came:
        stz POWER_ALARM
        stz POWER_ALARM+1
        lda happened
        and wanted
        pha
        lda wanted
        ora #HAPPENED_ALARM
        trb happened
        cli
        pla
        rts

; ---- interrupts --------------------------------------------------------------------------------------------------
interrupt:
        pha
        phx
        tsx
        lda $0103,x
        and #%00010000          ; a BRK, not a device
        beq device
        jmp broke
device:
        lda POWER_STATUS
        and #POWER_SOURCES      ; the same bits as in happened
        sta POWER_STATUS
        tsb happened
        bit STOPWATCH_STATUS
        bpl @disk
        lda #1
        sta STOPWATCH_STATUS
        lda #HAPPENED_STOPWATCH
        tsb happened
@disk:
        bit DISK_STATUS
        bpl @network
        lda #DISK_DONE
        sta DISK_STATUS
        lda #HAPPENED_DISK
        tsb happened
@network:
        bit NET_STATUS
        bpl @keyboard
        lda #NET_LISTEN         ; the packet stays, so its interrupt is switched off
        sta NET_CONTROL
        lda #HAPPENED_PACKET
        tsb happened
@keyboard:
        bit KEY_STATUS
        bpl @pointer
        stz KEY_CONTROL
        lda #HAPPENED_KEY
        tsb happened
@pointer:
        bit POINTER_STATUS
        bpl @clock
        stz POINTER_CONTROL
        lda #HAPPENED_POINTER
        tsb happened
@clock:
        lda #$0B
        sta RTC_INDEX
        lda RTC_DATA
        and #RTC_UPDATE
        beq @console            ; the clock is asked only while somebody wants it
        lda #$0C
        sta RTC_INDEX
        lda RTC_DATA
        and #RTC_UPDATE
        beq @console
        lda #HAPPENED_SECOND
        tsb happened
@console:
        lda ACIA_STATUS
        and #ACIA_RDRF
        beq @done
        jsr take_typed
@done:
        plx
        pla
        rti

broke:
        lda $0105,x             ; where it goes on, behind the byte that follows the BRK
        pha
        lda $0104,x
        pha
        print "break before "
        plx
        pla
        phx
        jsr put_hex
        pla
        jsr put_hex
        jsr put_newline
        plx
        pla
        rti

unused_interrupt:
        rti

.segment "VECTORS"
        .word unused_interrupt
        .word reset
        .word interrupt
