; parts.s - the commands that need nothing but numbers: clocks, entropy, disk, network, power, the user's device.

.include "suite.inc"
.export clock, entropy, stopwatch, disk, network, own, call, sleep, via, pia, second_line

SECTOR_BUFFER   = $2000

.code

; ---- c: the time, at the end of an update ------------------------------------------------------------------------
clock:
        lda #$0B
        sta RTC_INDEX
        lda #RTC_24_HOURS | RTC_UPDATE
        sta RTC_DATA
        lda #$0C
        sta RTC_INDEX
        lda RTC_DATA            ; an update that has been is not meant
        lda #HAPPENED_SECOND
        trb happened
        jsr await_long          ; a second of the host may be many of the CPU's
        ldy #time_registers_end - time_registers - 1
@next:
        lda time_registers,y
        sta RTC_INDEX
        lda RTC_DATA
        jsr put_hex
        lda time_separators,y
        beq @end
        jsr put_char
        dey
        bra @next
@end:
        jsr put_newline
        lda #$0B
        sta RTC_INDEX
        lda #RTC_24_HOURS
        sta RTC_DATA
        rts

; Year, month, date, hours, minutes, seconds, from the last.
time_registers:  .byte 0, 2, 4, 7, 8, 9
time_registers_end:
time_separators: .byte 0, ":: --"

; ---- e: four bytes of entropy ------------------------------------------------------------------------------------
entropy:
        ldy #4
@next:
        ldx RANDOM_DATA
        lda RANDOM_STATUS
        bne @failed
        txa
        jsr put_hex
        dey
        bne @next
        jmp put_newline
@failed:
        pha
        print "error "
        pla
        jsr put_hex
        jmp put_newline

; ---- w: what 5 milliseconds of a user's time are -----------------------------------------------------------------
stopwatch:
        lda #1
        sta STOPWATCH_CONTROL
        sta STOPWATCH_START
        lda #<5000
        sta STOPWATCH_ALARM
        lda #>5000
        sta STOPWATCH_ALARM+1
        stz STOPWATCH_ALARM+2
        stz STOPWATCH_ALARM+3
        lda #HAPPENED_STOPWATCH
        jsr await_long
        lda STOPWATCH_TIME      ; takes the time for all four bytes
        ldy #3
@next:
        lda STOPWATCH_TIME,y
        jsr put_hex
        dey
        bpl @next
        print {" microseconds", 13, 10}
        rts

; ---- d: copies sectors 0 and 1 to 2 and 3 ------------------------------------------------------------------------
disk:
        lda #1
        sta DISK_CONTROL
        lda #<SECTOR_BUFFER
        sta DISK_ADDRESS
        lda #>SECTOR_BUFFER
        sta DISK_ADDRESS+1
        stz DISK_SECTOR
        stz DISK_SECTOR+1
        stz DISK_SECTOR+2
        stz DISK_SECTOR+3
        lda #2
        sta DISK_COUNT
        lda #DISK_READ
        jsr disk_command
        bne @failed
        lda #2
        sta DISK_SECTOR
        lda #DISK_WRITE
        jsr disk_command
        bne @failed
        lda #DISK_FLUSH
        jsr disk_command
        bne @failed
        print "copied "
        ldy #0
@next:
        lda SECTOR_BUFFER,y
        jsr put_hex
        iny
        cpy #8
        bne @next
        jmp put_newline
@failed:
        pha
        print "disk error "
        pla
        jsr put_hex
        jmp put_newline

; Does a command and waits for its end. A is the error, and Z is set when there is none.
disk_command:
        sta DISK_COMMAND
        lda #HAPPENED_DISK
        jsr await
        beq @never
        lda DISK_ERROR
        rts
@never:
        lda #$FF
        rts

; ---- n: waits for a packet and sends it back to where it came from -----------------------------------------------
PACKET          = $3000
PACKET_PAGES    = 6

network:
        lda #NET_INTERRUPT
        sta NET_CONTROL
        lda #HAPPENED_PACKET
        jsr await
        beq @none
        ldx NET_LENGTH          ; how many, in X and Y
        ldy NET_LENGTH+1
        phx
        phy
        jsr read_packet
        lda #NET_NEXT
        sta NET_COMMAND
        ldx #5                  ; to the sender, from here
@turn:
        lda PACKET+6,x
        sta PACKET,x
        lda NET_ADDRESS,x
        sta PACKET+6,x
        dex
        bpl @turn
        ply
        plx
        phx
        phy
        jsr send_packet
        ply
        plx
        print "echoed "
        tya
        jsr put_hex
        txa
        jsr put_hex
        jsr put_newline
        bra @off
@none:
        print {"no packet", 13, 10}
@off:
        stz NET_CONTROL
        rts

; X (low) and Y (high) are the number of bytes, at most PACKET_PAGES * 256.
read_packet:
        jsr packet_start
@next:
        lda NET_DATA
        sta (text)
        jsr packet_step
        bne @next
        rts

send_packet:
        jsr packet_start
@next:
        lda (text)
        sta NET_SEND_DATA
        jsr packet_step
        bne @next
        lda #NET_SEND
        sta NET_COMMAND
@sending:
        lda NET_STATUS
        and #NET_SENT
        beq @sending
        sta NET_STATUS
        rts

packet_start:
        lda #<PACKET
        sta text
        lda #>PACKET
        sta text+1
        rts

; The next byte; Z is set behind the last one.
packet_step:
        inc text
        bne @same_page
        inc text+1
@same_page:
        txa
        bne @low
        dey
@low:
        dex
        bne @more
        tya
@more:
        rts

; ---- u: what the user's own device gives -------------------------------------------------------------------------
own:
        lda #$55
        sta USER
        lda USER+1
        jsr put_hex
        jmp put_newline

; ---- a: a call at the next instruction boundary ------------------------------------------------------------------
call:
        lda #POWER_CALL
        sta POWER_COMMAND
        lda #HAPPENED_CALL
        jsr await
        beq @never
        print {"called", 13, 10}
        rts
@never:
        print {"not called", 13, 10}
        rts

; ---- s: suspends itself until the alarm wakes it -----------------------------------------------------------------
sleep:
        lda #<50
        sta POWER_ALARM
        lda #>50
        sta POWER_ALARM+1
        lda #POWER_SUSPEND
        sta POWER_COMMAND
        print {"awake", 13, 10}
        rts

; ---- v: what port B holds, and a millisecond of timer 1 ------------------------------------------------------------
via:
        lda #$FF
        sta VIA_DDRB
        lda #$A5
        sta VIA_ORB
        stz VIA_ACR             ; timer 1 runs out once
        lda #<2000
        sta VIA_T1CL
        lda #>2000
        sta VIA_T1CH
        ldx #0                  ; turns of the loop: 12 cycles each
        ldy #0
@turn:
        inx
        bne @same_page
        iny
@same_page:
        bit VIA_IFR
        bvc @turn               ; bit 6, timer 1
        lda VIA_ORB
        jsr put_hex
        print ", turns "
        tya
        jsr put_hex
        txa
        jsr put_hex
        lda VIA_T1CL            ; takes the flag away
        jmp put_newline

; ---- i: what port B holds, pins that are inputs included -----------------------------------------------------------
pia:
        stz PIA_CRB
        lda #$F0                ; the upper half are outputs
        sta PIA_PORT_B
        lda #PIA_PORT
        sta PIA_CRB
        lda #$35
        sta PIA_PORT_B
        lda PIA_PORT_B
        jsr put_hex
        jmp put_newline

; ---- m: says ok on the second line, and what comes there -----------------------------------------------------------
second_line:
        lda #SERIAL_RESET
        sta SERIAL_CONTROL
        lda #SERIAL_8N1
        sta SERIAL_CONTROL
        ldx #'o'
        jsr @send
        ldx #'k'
        jsr @send
        ldy #0                  ; 65536 turns of the loop are given to the other side
        ldx #0
@turn:
        lda SERIAL_STATUS
        and #SERIAL_RDRF
        bne @came
        dex
        bne @turn
        dey
        bne @turn
        print {"nothing came", 13, 10}
        rts
@came:
        lda SERIAL_DATA
        jsr put_hex
        jmp put_newline
@send:
        lda SERIAL_STATUS
        and #SERIAL_TDRE
        beq @send
        stx SERIAL_DATA
        rts
