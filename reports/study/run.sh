#!/bin/sh
# The study (docs/study.md): every family, with a frozen encoder and from scratch, tuned and trained again from three
# seeds or more. Run it from the checkout, with VMSBENCH_DATA set; the same line continues it. One trial at a time, one
# thread each.
# Names after it run these sweeps alone, without the report, so that two of it can share the work:
#   sh reports/study/run.sh readout-gan unet-none
#   VMSBENCH=vmsbench  the command     RUNS=runs  the folder of sweeps     OUT=reports/study  scores and report
# The scores of each finished sweep (no weights, no pictures, no names of them) are kept in $OUT/sweeps; a sweep that is
# there is not trained again. Remove its folder to train it once more.
set -u
: "${VMSBENCH:=vmsbench}" "${RUNS:=runs}" "${OUT:=reports/study}" "${VMSBENCH_DATA:?set it to the folder of VISCHEMA PLUS}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" VMSBENCH_DATA
names="" chosen=" $* "
known=" $(sed -n 's/^sweep \([^ ]*\) .*/\1/p' "$0" | tr '\n' ' ')"
for name in $chosen; do
  case $known in *" $name "*) ;; *) echo "error: no sweep $name; there are:$known" >&2; exit 2 ;; esac
done
mkdir -p "$RUNS"

sweep() { # NAME EXP override ...
  name=$1 exp=$2
  shift 2
  if [ ! -d "$OUT/sweeps/$name" ] && asked "$name"; then
    date -u "+%F %T UTC $name begins"
    $VMSBENCH tune --exp "$exp" --name "$name" --runs "$RUNS" --cpus 1 --quiet tracker=none finals.seeds=3 "$@" &&
      $VMSBENCH ensemble "$name" --runs "$RUNS" && keep "$name" || echo "$name ended with exit code $?"
  fi
  [ ! -d "$OUT/sweeps/$name" ] || names="$names $name"
}

asked() { # NAME: whether it was named, where any was
  case $chosen in "  " | *" $1 "*) return 0 ;; *) return 1 ;; esac
}

keep() { # NAME: under another name first, so that what is there is whole
  part="$OUT/sweeps/.$1.part"
  rm -rf "$part"
  mkdir -p "$part"
  (cd "$RUNS/$1" && find . -type f ! -name splits.json \( -name '*.json' -o -name '*.jsonl' -o -name '*.csv' \)) |
    while read -r file; do
      mkdir -p "$part/$(dirname "$file")"
      case $file in
        *scores.csv) nameless < "$RUNS/$1/$file" ;;
        *) sed -E -e "s#$(readlink -f "$VMSBENCH_DATA")#/data/vischema_plus#g; s#$(readlink -f "$RUNS")#runs#g" \
          -e "s#$HOME/#~/#g" -e 's/"[^"]+\.(jpe?g|png)"/"PICTURE"/g' "$RUNS/$1/$file" ;;
      esac > "$part/$file" || return 1
    done && mv "$part" "$OUT/sweeps/$1"
}

nameless() { # a table of scores by picture, with numbers in place of the pictures' names
  awk 'BEGIN { FS = OFS = "," }
    NR > 1 { $1 = "test-" NR - 1; for (i = 2; i <= NF; i++) if ($i ~ /^-?[0-9]/) $i = sprintf("%.6g", $i) }
    1'
}

report() {
  [ "$chosen" = "  " ] || return 0
  for name in $names; do set -- "$@" "$name"; done
  $VMSBENCH report "$@" --runs "$OUT/sweeps" --out "$OUT/report"
}

# Frozen features, and a readout of them: minutes each. Draws are cheap, so that a search looks at all tuning pairs.
sweep readout-l1 unet network=readout
sweep readout-l1-cc unet network=readout model.loss=l1_cc
sweep readout-quantile unet network=readout model=quantile evaluation.images=null
sweep readout-engression engression network=readout evaluation.images=null
sweep readout-gan gan network=readout
sweep readout-both unet network=readout encoder=efficientnet_lite02 model.loss=l1_cc finals.seeds=5
sweep readout-diffusion diffusion network=readout prediction=map evaluation.images=null
sweep readout-gan-noise gan network=readout model=pix2pix_noise evaluation.images=null
report
# What else the question asks, on the same features: a critic, what DiffAugment does, the sum as target.
sweep readout-wgan-gp gan network=readout model=wasserstein model.discriminator.norm=instance
sweep readout-diffaugment gan network=readout model.augmentation.translation=0.9 model.augmentation.cutout=0.9
sweep readout-sum unet network=readout target=sum
report
# From scratch, with one backbone for every family, and that backbone with features: an hour or two each.
sweep unet-none unet preset=study
sweep unet-lite2 unet preset=study encoder=efficientnet_lite2
sweep gan-none gan preset=study
sweep diffusion-none diffusion preset=study
sweep engression-none engression preset=study
report
