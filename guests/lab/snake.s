; snake.s - a game for the `lab` board: arrows steer, every apple makes the snake longer, now and then it gets faster.
;
; The display's frames are its clock, the screen is its map (what is in a cell says whether it can be entered), entropy
; places the apples. It asks nothing of anybody else, so a recording of a game is some bytes for keys and apples.

.setcpu "65C02"
.include "lab.inc"

; ---- characters and colours (ink in the low half, paper in the high half) ------------------------------------------
EMPTY           = ' '
BLOCK           = 143           ; all four quarters of a cell
APPLE           = '@'

WALL_COLOUR     = $08           ; dark grey on black
BODY_COLOUR     = $02           ; green
HEAD_COLOUR     = $0A           ; light green
APPLE_COLOUR    = $0C           ; coral
TEXT_COLOUR     = $0F           ; white
TITLE_COLOUR    = $0E           ; yellow

COLUMNS         = 40
ROWS            = 25
TOP             = 1             ; row 0 is for the score

SLOWEST         = 8             ; frames of a step, 50 frames a second
FASTEST         = 3
GROWTH          = 3             ; cells that an apple is worth
LONGEST         = 240           ; the ring of cells holds 256

.zeropage
head:           .res 1          ; where in the ring the head is
tail:           .res 1
grow:           .res 1          ; cells that are still to come
length:         .res 1
x_step:         .res 1          ; direction of the last step: 1, $FF or 0
y_step:         .res 1
x_next:         .res 1          ; direction of the next step
y_next:         .res 1
score:          .res 2          ; decimal, low byte first
best:           .res 2
delay:          .res 1
apples:         .res 1          ; until it gets faster
text:           .res 2
pitch:          .res 1          ; frames of sound in half a wave
waves:          .res 1
high:           .res 1

.segment "RING"
cells_x:        .res 256

.bss
cells_y:        .res 256

; Prints the text that follows the call, at a place and in a colour.
.macro print_at x_place, y_place, colour, string
        lda #x_place
        sta DISPLAY_X
        lda #y_place
        sta DISPLAY_Y
        lda #colour
        sta DISPLAY_COLOUR
        jsr put_inline
        .byte string, 0
.endmacro

.code
reset:
        sei                     ; interrupts only end WAI
        cld
        ldx #$FF
        txs
        stz best
        stz best+1
        lda #SOUND_PLAY
        sta SOUND_CONTROL
        lda #DISPLAY_IS_TEXT | $80
        sta DISPLAY_MODE
        jsr draw_field
        print_at 15, 9, TITLE_COLOUR, "S N A K E"
        print_at 9, 12, TEXT_COLOUR, "the arrow keys steer"
        print_at 11, 14, TEXT_COLOUR, "space starts"

wait_for_start:
        jsr wait_frame
        jsr get_key
        cmp #' '
        bne wait_for_start
        jsr new_game
play:
        jsr wait_step
        jsr step
        bcc play

; ---- the end of a game ---------------------------------------------------------------------------------------------
        lda #40
        sta pitch
        lda #3
        sta waves
        jsr beep
        lda score
        cmp best
        lda score+1
        sbc best+1
        bcc @not_better
        lda score
        sta best
        lda score+1
        sta best+1
@not_better:
        jsr show_score
        print_at 14, 11, TITLE_COLOUR, " GAME OVER "
        print_at 10, 13, TEXT_COLOUR, " space plays again "
        bra wait_for_start

; ---- a new game ----------------------------------------------------------------------------------------------------
new_game:
        jsr draw_field
        stz score
        stz score+1
        jsr show_score
        lda #SLOWEST
        sta delay
        lda #5
        sta apples
        stz head
        stz tail
        lda #1
        sta length
        sta x_next
        sta x_step
        stz y_next
        stz y_step
        lda #GROWTH
        sta grow
        lda #COLUMNS / 2
        sta cells_x
        lda #ROWS / 2
        sta cells_y
        ldx #0
        lda #HEAD_COLOUR
        jsr draw_cell
        jmp place_apple

; An empty field inside its wall.
draw_field:
        lda #WALL_COLOUR
        sta DISPLAY_COLOUR
        lda #DISPLAY_CLEAR
        sta DISPLAY_COMMAND
        ldy #TOP
        jsr draw_row
        ldy #ROWS - 1
        jsr draw_row
        ldy #TOP + 1
@next:
        lda #0
        jsr draw_wall
        lda #COLUMNS - 1
        jsr draw_wall
        iny
        cpy #ROWS - 1
        bne @next
        rts

draw_row:
        lda #0
@next:
        jsr draw_wall
        inc
        cmp #COLUMNS
        bne @next
        rts

; A cell of wall at A, Y.
draw_wall:
        sta DISPLAY_X
        sty DISPLAY_Y
        ldx #BLOCK
        stx DISPLAY_TEXT
        rts

; ---- a step: carry is set when it was the last one -----------------------------------------------------------------
step:
        ldx head
        lda #BODY_COLOUR
        jsr draw_cell
        lda x_next
        sta x_step
        clc
        adc cells_x,x
        sta DISPLAY_X
        pha
        lda y_next
        sta y_step
        clc
        adc cells_y,x
        sta DISPLAY_Y
        inx
        sta cells_y,x
        pla
        sta cells_x,x
        lda DISPLAY_TEXT        ; a look, which does not move the place
        cmp #EMPTY
        beq @enter
        cmp #APPLE
        bne @crash
        stx head
        lda #HEAD_COLOUR
        jsr draw_cell
        jsr eat
        bra @follow
@enter:
        stx head
        lda #HEAD_COLOUR
        jsr draw_cell
@follow:
        lda grow
        beq @move_tail
        dec grow
        inc length
        clc
        rts
@move_tail:
        ldx tail
        inc tail
        lda cells_x,x
        sta DISPLAY_X
        lda cells_y,x
        sta DISPLAY_Y
        lda #EMPTY
        sta DISPLAY_TEXT
        clc
        rts
@crash:
        sec
        rts

; The cell at place X of the ring, in colour A. X is kept.
draw_cell:
        sta DISPLAY_COLOUR
        lda cells_x,x
        sta DISPLAY_X
        lda cells_y,x
        sta DISPLAY_Y
        lda #BLOCK
        sta DISPLAY_TEXT
        rts

eat:
        sed
        clc
        lda score
        adc #1
        sta score
        lda score+1
        adc #0
        sta score+1
        cld
        jsr show_score
        lda length
        cmp #LONGEST
        bcs @long_enough
        lda grow
        adc #GROWTH             ; carry is clear
        sta grow
@long_enough:
        dec apples
        bne @same_speed
        lda #5
        sta apples
        lda delay
        cmp #FASTEST + 1
        bcc @same_speed
        dec delay
@same_speed:
        lda #4
        sta pitch
        lda #8
        sta waves
        jsr beep

; An apple in an empty cell, wherever entropy says.
place_apple:
        lda #COLUMNS - 2
        jsr random_below
        inc
        sta DISPLAY_X
        lda #ROWS - TOP - 2
        jsr random_below
        clc
        adc #TOP + 1
        sta DISPLAY_Y
        lda DISPLAY_TEXT
        cmp #EMPTY
        bne place_apple
        lda #APPLE_COLOUR
        sta DISPLAY_COLOUR
        lda #APPLE
        sta DISPLAY_TEXT
        rts

; A number below A: the high byte of A times a byte of entropy.
random_below:
        ldx RANDOM_DATA
        stx text
        stz high
        ldx #8
@next:
        lsr text                ; bits of the byte from the lowest on
        bcc @shift
        pha
        clc
        adc high
        sta high
        pla
@shift:
        ror high                ; with the carry of the sum, if there was one
        dex
        bne @next
        lda high
        rts

; ---- time and keys -------------------------------------------------------------------------------------------------
; Waits for the next frame.
wait_frame:
        wai
        sta DISPLAY_STATUS
        rts

; Waits for the next step, and steers meanwhile.
wait_step:
        ldy delay
@next:
        jsr wait_frame
        jsr steer
        dey
        bne @next
        rts

; The next key that has gone down; 0 when there is none.
get_key:
        lda KEY_STATUS
        and #KEY_WAITING
        beq @none
        bit KEY_STATUS          ; bit 6, a release, comes to V
        lda KEY_DATA
        bvs get_key
@none:
        rts

; Turns where the last arrow says; never back.
steer:
        jsr get_key
        cmp #KEY_UP
        beq @up
        cmp #KEY_DOWN
        beq @down
        cmp #KEY_LEFT
        beq @left
        cmp #KEY_RIGHT
        beq @right
        rts
@up:
        lda #$FF
        bra @vertical
@down:
        lda #1
@vertical:
        ldx y_step
        bne @ignored
        sta y_next
        stz x_next
        rts
@left:
        lda #$FF
        bra @horizontal
@right:
        lda #1
@horizontal:
        ldx x_step
        bne @ignored
        sta x_next
        stz y_next
@ignored:
        rts

; ---- texts and sound -----------------------------------------------------------------------------------------------
show_score:
        print_at 1, 0, TEXT_COLOUR, "score "
        lda score+1
        jsr put_hex
        lda score
        jsr put_hex
        print_at 29, 0, TEXT_COLOUR, "best "
        lda best+1
        jsr put_hex
        lda best
; A as two digits.
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
        ora #'0'                ; decimal digits only
        sta DISPLAY_TEXT
        rts

; Prints the text behind the call, up to a zero byte, and goes on behind that.
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
        sta DISPLAY_TEXT
        bra @next
@end:
        lda text+1
        pha
        lda text
        pha
        rts

; So many waves, each of twice so many frames: at most 256 frames fit.
beep:
        ldy #$18                ; loudness
@wave:
        tya
        jsr half_wave
        tya
        eor #$FF
        jsr half_wave
        dec waves
        bne @wave
        rts

half_wave:
        ldx pitch
@next:
        stz SOUND_OUT
        sta SOUND_OUT+1
        dex
        bne @next
        rts

.segment "VECTORS"
        .word reset
        .word reset
        .word reset
