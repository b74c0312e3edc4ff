# Eddy's image from programs that were built on this machine, which must be Debian 12 as the image is: `./dev docker`
# puts them into build/image. It saves compiling everything a second time; docker/Dockerfile builds from source.
FROM eddy-runtime
COPY build/image/eddyd build/image/eddyctl /usr/local/bin/
