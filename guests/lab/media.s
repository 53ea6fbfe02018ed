; media.s - the commands that a person sees or hears: sound, display, keyboard, pointer.

.include "suite.inc"
.export tone, level, keys, draw

.zeropage
sample:         .res 1
peak:           .res 1

.code

; ---- t: a square wave, 1024 frames of it -------------------------------------------------------------------------
tone:
        lda #SOUND_PLAY
        sta SOUND_CONTROL
        lda #$20
        sta sample
        ldy #0                  ; 256 times 4 frames
@next:
        lda SOUND_STATUS
        and #SOUND_SPACE
        beq @next
        ldx #4
@four:
        stz SOUND_OUT
        lda sample
        sta SOUND_OUT+1
        dex
        bne @four
        lda sample              ; the other half of the wave: 8 frames, 1 kHz at 8000 a second
        eor #$C0
        sta sample
        iny
        bne @next
@playing:
        lda SOUND_STATUS
        and #SOUND_PLAYING
        bne @playing
        stz SOUND_CONTROL
        print "played, taken of the last batch "
        lda SOUND_TAKEN
        jsr put_hex
        jmp put_newline

; ---- l: the loudest of a batch -----------------------------------------------------------------------------------
level:
        stz peak
        lda #SOUND_RECORD
        sta SOUND_CONTROL
        lda #10                 ; batches that are given a chance
        sta count
@wait:
        ldy #0
@turn:
        ldx #0
@spin:
        lda SOUND_STATUS
        and #SOUND_LEVEL
        bne @heard
        dex
        bne @spin
        dey
        bne @turn
        dec count
        bne @turn
        stz SOUND_CONTROL
        print {"nothing is heard", 13, 10}
        rts
@heard:
        ldy #32
@next:
        ldx SOUND_IN
        lda SOUND_IN+1          ; takes the frame away
        bpl @positive
        eor #$FF
@positive:
        cmp peak
        bcc @softer
        sta peak
@softer:
        dey
        bne @next
        stz SOUND_CONTROL
        print "peak "
        lda peak
        jsr put_hex
        jmp put_newline

; ---- k: types on the screen until Escape -------------------------------------------------------------------------
keys:
        lda #DISPLAY_IS_TEXT
        sta DISPLAY_MODE
        lda #$1F                ; white on blue
        sta DISPLAY_COLOUR
        lda #DISPLAY_CLEAR
        sta DISPLAY_COMMAND
        stz count
@next:
        lda #KEY_INTERRUPT
        sta KEY_CONTROL
        lda #HAPPENED_KEY
        jsr await
        beq @end
@take:
        lda KEY_STATUS
        and #KEY_WAITING
        beq @next
        ldx KEY_CHARACTER
        lda KEY_DATA
        cpx #0
        beq @take               ; a release, or a key that types nothing
        cmp #KEY_ESCAPE
        beq @end
        stx DISPLAY_TEXT
        inc count
        bra @take
@end:
        stz KEY_CONTROL
        print "keys "
        lda count
        jsr put_hex
        jmp put_newline

; ---- p: draws while button 0 is down, until button 1 -------------------------------------------------------------
draw:
        lda #DISPLAY_IS_BITMAP
        sta DISPLAY_MODE
        stz DISPLAY_COLOUR
        lda #DISPLAY_CLEAR
        sta DISPLAY_COMMAND
        stz count
@next:
        lda #POINTER_INTERRUPT
        sta POINTER_CONTROL
        lda #HAPPENED_POINTER
        jsr await
        beq @end
        lda POINTER_BUTTONS
        bit #%00000010
        bne @end
        lsr
        bcc @seen
        lda POINTER_X
        sta DISPLAY_X
        lda POINTER_Y
        sta DISPLAY_Y
        lda #$0E
        sta DISPLAY_PIXEL
        inc count
@seen:
        sta POINTER_ACK
        bra @next
@end:
        sta POINTER_ACK
        stz POINTER_CONTROL
        print "dots "
        lda count
        jsr put_hex
        jmp put_newline
